-- What is posted stays as it is: corrections are new transfers that name the old one.
create or replace function ledger.refuse_change() returns trigger
language plpgsql as $$
begin
    raise exception '% on %.% is refused: what is posted is never changed or deleted, post a reversal instead',
        tg_op, tg_table_schema, tg_table_name
        using errcode = 'restrict_violation';
end
$$;

create or replace trigger transfer_is_immutable
before update or delete or truncate on ledger.transfer
for each statement execute function ledger.refuse_change();

create or replace trigger lot_entry_is_immutable
before update or delete or truncate on ledger.lot_entry
for each statement execute function ledger.refuse_change();

create or replace trigger period_lock_is_immutable
before update or delete or truncate on ledger.period_lock
for each statement execute function ledger.refuse_change();

create or replace trigger lot_term_is_immutable
before update or delete or truncate on ledger.lot_term
for each statement execute function ledger.refuse_change();

create or replace trigger hold_is_immutable
before update or delete or truncate on ledger.hold
for each statement execute function ledger.refuse_change();

create or replace trigger hold_move_is_immutable
before update or delete or truncate on ledger.hold_move
for each statement execute function ledger.refuse_change();

create or replace trigger hold_end_is_immutable
before update or delete or truncate on ledger.hold_end
for each statement execute function ledger.refuse_change();

create or replace trigger take_back_is_immutable
before update or delete or truncate on ledger.take_back
for each statement execute function ledger.refuse_change();

create or replace trigger reference_is_immutable
before update or delete or truncate on ledger.reference
for each statement execute function ledger.refuse_change();

create or replace trigger block_is_immutable
before update or delete or truncate on ledger.block
for each statement execute function ledger.refuse_change();

-- An account is what it is for good; its balance follows from what is posted.
create or replace trigger account_is_immutable
before update of account_id, book, unit, kind, owner, opened_at or delete or truncate on ledger.account
for each statement execute function ledger.refuse_change();
