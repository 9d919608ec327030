-- Note where holds went.
-- Takes a JSON array of {transfer_id, hold_id, account_id, reserved_account_id}. Returns nothing.
insert into ledger.hold_move (transfer_id, hold_id, account_id, reserved_account_id)
select w.transfer_id, w.hold_id, w.account_id, w.reserved_account_id
from jsonb_to_recordset(%(moves)s) as w(
    transfer_id bigint, hold_id bigint, account_id bigint, reserved_account_id bigint)
