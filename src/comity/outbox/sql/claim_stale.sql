-- The most urgent due marks of a system. Whoever asks holds the lease of the system's deliveries: that is the claim.
-- Takes system, now, count_max. Returns profile_id, mark, lane, attempts. Uses stale_to_claim.
select s.profile_id, s.mark, s.lane, s.attempts
from outbox.stale s
where s.system = %(system)s::text and s.parked_code is null and s.due_at <= %(now)s::timestamptz
order by s.lane, s.mark
limit %(count_max)s::int
