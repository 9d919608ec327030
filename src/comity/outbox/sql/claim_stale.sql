-- The most urgent due marks of a system. Whoever asks holds the lease of the system's deliveries: that is the claim.
-- Marks that wait for a tick (lane 5) are found by their time: most of them are not due.
-- Takes system, now, count_max. Returns profile_id, mark, lane, attempts, waiting_since. Uses stale_to_claim, stale_held.
select c.profile_id, c.mark, c.lane, c.attempts, c.waiting_since
from (
    (
        select s.profile_id, s.mark, s.lane, s.attempts, s.waiting_since
        from outbox.stale s
        where s.system = %(system)s::text and s.parked_code is null and s.lane < 5 and s.due_at <= %(now)s::timestamptz
        order by s.lane, s.mark
        limit %(count_max)s::int
    )
    union all
    (
        select s.profile_id, s.mark, s.lane, s.attempts, s.waiting_since
        from outbox.stale s
        where s.system = %(system)s::text and s.parked_code is null and s.lane = 5 and s.due_at <= %(now)s::timestamptz
        order by s.due_at
        limit %(count_max)s::int
    )
    union all
    (
        select s.profile_id, s.mark, s.lane, s.attempts, s.waiting_since
        from outbox.stale s
        where s.system = %(system)s::text and s.parked_code is null and s.lane > 5 and s.due_at <= %(now)s::timestamptz
        order by s.lane, s.mark
        limit %(count_max)s::int
    )
) as c
order by c.lane, c.mark
limit %(count_max)s::int
