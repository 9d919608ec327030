-- Give parked deliveries another chance.
-- Takes system (or null for all), now. Returns how many by rowcount. Locks in the order in which marks are made.
with parked as materialized (
    select s.system, s.profile_id
    from outbox.stale s
    where s.parked_code is not null and (%(system)s::text is null or s.system = %(system)s::text)
    order by s.system, s.profile_id
    for update of s
)
update outbox.stale s
set parked_code = null, parked_message = null, parked_at = null, attempts = 0, due_at = %(now)s::timestamptz
from parked p
where s.system = p.system and s.profile_id = p.profile_id
