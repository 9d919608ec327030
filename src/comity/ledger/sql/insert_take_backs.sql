-- Note what reversals asked for and got.
-- Takes a JSON array of {idempotency_key, transfer_id, reversal_number, wanted, taken, policy, reversal_transfer_id}
-- and booked_at. Returns nothing.
insert into ledger.take_back (
    idempotency_key, transfer_id, reversal_number, wanted, taken, policy, reversal_transfer_id, booked_at)
select w.idempotency_key, w.transfer_id, w.reversal_number, w.wanted, w.taken, w.policy, w.reversal_transfer_id,
       %(booked_at)s
from jsonb_to_recordset(%(take_backs)s) as w(
    idempotency_key text, transfer_id bigint, reversal_number int, wanted bigint, taken bigint, policy text,
    reversal_transfer_id bigint)
