-- Which idempotency keys are taken.
-- Takes keys. Returns idempotency_key, transfer_id.
select idempotency_key, transfer_id from ledger.transfer where idempotency_key = any(%(keys)s::text[])
