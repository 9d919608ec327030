-- An adjustment by its key or by its id.
-- Takes idempotency_key and adjustment_id, one of them null. Returns Adjustment or nothing.
select adjustment_id, idempotency_key, programme, profile_id, points, kind, effective_on, reason, reference, state,
       maker, proposed_at, checker, decided_at, transfer_id
from programme.adjustment
where idempotency_key = %(idempotency_key)s::text or adjustment_id = %(adjustment_id)s::bigint
