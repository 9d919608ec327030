-- Take the most urgent due marks of a system that nobody works on.
-- Takes system, now, claimed_until, count_max. Returns profile_id, mark, lane, attempts. Uses stale_to_claim.
with chosen as (
    select s.system, s.profile_id
    from outbox.stale s
    where s.system = %(system)s::text and s.parked_code is null and s.due_at <= %(now)s::timestamptz
      and (s.claimed_until is null or s.claimed_until < %(now)s::timestamptz)
    order by s.lane, s.mark
    limit %(count_max)s::int
    for update skip locked
)
update outbox.stale s set claimed_until = %(claimed_until)s::timestamptz
from chosen
where s.system = chosen.system and s.profile_id = chosen.profile_id
returning s.profile_id, s.mark, s.lane, s.attempts
