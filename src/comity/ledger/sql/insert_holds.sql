-- Note holds.
-- Takes a JSON array of {hold_id, account_id, reserved_account_id, amount, deadline_at}. Returns nothing.
with made as (
    insert into ledger.hold (hold_id, account_id, reserved_account_id, amount, deadline_at)
    select w.hold_id, w.account_id, w.reserved_account_id, w.amount, w.deadline_at
    from jsonb_to_recordset(%(holds)s) as w(
        hold_id bigint, account_id bigint, reserved_account_id bigint, amount bigint, deadline_at timestamptz)
    returning hold_id, deadline_at
)
insert into ledger.open_hold (hold_id, deadline_at) select hold_id, deadline_at from made
