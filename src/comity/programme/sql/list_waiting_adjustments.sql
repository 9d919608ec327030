-- Adjustments that wait for a second key, oldest first.
-- Takes limit_max. Returns Adjustment. Relies on adjustment_waiting.
select adjustment_id, idempotency_key, programme, profile_id, points, kind, effective_on, reason, reference, state,
       maker, proposed_at, checker, decided_at, transfer_id
from programme.adjustment
where state = 'waiting'
order by adjustment_id
limit %(limit_max)s
