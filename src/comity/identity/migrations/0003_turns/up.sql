-- Who resolves records takes a turn; the one row is the lock as well, and the number tells what was read before which turn.
create table identity.turn (
    is_only boolean not null default true,
    number bigint not null,
    constraint turn_pkey primary key (is_only),
    constraint turn_is_only check (is_only)
) with (fillfactor=10);
insert into identity.turn (number) values (0);
