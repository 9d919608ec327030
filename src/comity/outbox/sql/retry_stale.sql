-- Try again later, unless the mark changed meanwhile (then it is due when that says). A delivery that only waits for
-- something to be taken in first is no failed attempt.
-- Takes system, profile_ids, marks, due_ats, are_failures.
update outbox.stale s
set attempts = s.attempts + w.is_failure::int, due_at = w.due_at
from unnest(%(profile_ids)s::uuid[], %(marks)s::bigint[], %(due_ats)s::timestamptz[], %(are_failures)s::boolean[])
    as w(profile_id, mark, due_at, is_failure)
where s.system = %(system)s::text and s.profile_id = w.profile_id and s.mark = w.mark
