-- One sequence numbers all that is sealed. Who draws of it has to be a running transaction that others can see.
select setval('ledger.transfer_id', q.last_id)
from (
    select greatest(
        (select max(account_id) from ledger.account), (select max(lot_term_id) from ledger.lot_term),
        (select max(period_lock_id) from ledger.period_lock),
        (select last_value from ledger.transfer_id where is_called)) as last_id
) q
where q.last_id > 0;

alter table ledger.account alter column account_id drop identity;
alter table ledger.account alter column account_id
set default case when pg_current_xact_id() is not null then nextval('ledger.transfer_id') end;

alter table ledger.lot_term alter column lot_term_id drop identity;
alter table ledger.lot_term alter column lot_term_id
set default case when pg_current_xact_id() is not null then nextval('ledger.transfer_id') end;

alter table ledger.period_lock alter column period_lock_id drop identity;
alter table ledger.period_lock alter column period_lock_id
set default case when pg_current_xact_id() is not null then nextval('ledger.transfer_id') end;

alter table ledger.take_back add column take_back_id bigint not null
default case when pg_current_xact_id() is not null then nextval('ledger.transfer_id') end
constraint take_back_in_order unique;

-- An end is numbered by the transfer that captured, or that released what was not captured.
create index hold_end_in_order on ledger.hold_end (coalesce(capture_transfer_id, release_transfer_id));

-- Up to which number a block seals what stands beside the transfers, and how many that are.
alter table ledger.block add column last_note_id bigint not null default 0;
alter table ledger.block add column note_count bigint not null default 0;
alter table ledger.block drop constraint block_check;
alter table ledger.block add constraint block_without_gaps check (first_transfer_id <= last_transfer_id + 1);

drop index ledger.hold_end_of_capture;
drop function if exists ledger.digest_block(bytea, bigint, bigint);
