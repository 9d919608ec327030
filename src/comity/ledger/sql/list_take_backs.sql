-- What reversals got.
-- Takes idempotency keys. Returns TakenBack of those that are known.
select
    b.idempotency_key, b.transfer_id, b.wanted, b.taken, b.policy, b.reversal_transfer_id, t.debit_balance_after,
    t.credit_balance_after
from ledger.take_back b
left join ledger.transfer t on t.transfer_id = b.reversal_transfer_id
where b.idempotency_key = any(%(keys)s::text[])
