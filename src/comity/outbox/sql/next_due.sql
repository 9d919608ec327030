-- When the next mark of a system is due; null when none waits.
-- Takes system. Uses stale_to_claim.
select min(due_at) as due_at from outbox.stale where system = %(system)s::text and parked_code is null
