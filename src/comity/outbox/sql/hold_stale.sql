-- What is left of these marks waits for its tick, unless they changed meanwhile (then they are due at once). It goes behind
-- all that is written at once, in lane 5.
-- Takes system, profile_ids, marks, ticks.
update outbox.stale s
set lane = 5, attempts = 0, due_at = w.tick, waiting_since = w.tick
from unnest(%(profile_ids)s::uuid[], %(marks)s::bigint[], %(ticks)s::timestamptz[]) as w(profile_id, mark, tick)
where s.system = %(system)s::text and s.profile_id = w.profile_id and s.mark = w.mark
