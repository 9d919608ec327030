-- Marks per system and state.
select system,
    count(*) filter (where parked_code is null) as waiting_count,
    count(*) filter (where parked_code is null and attempts > 0) as retrying_count,
    count(*) filter (where parked_code is not null) as parked_count,
    min(due_at) filter (where parked_code is null) as oldest_due_at
from outbox.stale group by system
