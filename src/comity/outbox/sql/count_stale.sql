-- Marks per system and state; those that wait for a tick (lane 5) wait for nothing else until it comes.
-- Takes now.
select s.system,
    count(*) filter (where s.parked_code is null and not s.is_held) as waiting_count,
    count(*) filter (where s.parked_code is null and s.attempts > 0) as retrying_count,
    count(*) filter (where s.parked_code is not null) as parked_count,
    count(*) filter (where s.is_held) as held_count,
    min(s.due_at) filter (where s.parked_code is null) as oldest_due_at
from (
    select system, parked_code, attempts, due_at,
        parked_code is null and lane = 5 and due_at > %(now)s::timestamptz as is_held
    from outbox.stale
) as s
group by s.system
