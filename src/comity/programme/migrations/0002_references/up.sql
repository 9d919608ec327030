-- What adjustments and rewards are in the accounts outside: it is part of the wish that a key stands for.
alter table programme.adjustment add column reference text not null default '' check (length(reference) <= 200);
alter table programme.voucher add column reference text not null default '' check (length(reference) <= 200);
