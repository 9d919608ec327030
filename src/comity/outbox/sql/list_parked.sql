-- Parked deliveries, oldest first.
-- Takes system (or null), count_max.
select system, profile_id, lane, attempts, parked_code as code, parked_message as message, parked_at
from outbox.stale
where parked_code is not null and (%(system)s::text is null or system = %(system)s::text)
order by parked_at
limit %(count_max)s::int
