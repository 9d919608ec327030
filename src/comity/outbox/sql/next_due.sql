-- When the next mark of a system is due; null when none waits.
-- Takes system. Uses stale_to_claim, stale_held.
select least(
    (
        select min(s.due_at) from outbox.stale s
        where s.system = %(system)s::text and s.parked_code is null and s.lane < 5
    ),
    (
        select min(s.due_at) from outbox.stale s
        where s.system = %(system)s::text and s.parked_code is null and s.lane = 5
    ),
    (
        select min(s.due_at) from outbox.stale s
        where s.system = %(system)s::text and s.parked_code is null and s.lane > 5
    )
) as due_at
