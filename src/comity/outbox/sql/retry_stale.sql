-- Try again later, unless the mark changed meanwhile (then it is due when that says). A delivery that only waits for
-- something to be taken in first is no failed attempt.
-- Takes system, profile_ids, marks, due_ats, are_failures. Locks in the order in which marks are made.
with again as materialized (
    select s.profile_id, s.mark, w.due_at, w.is_failure
    from outbox.stale s
    join unnest(%(profile_ids)s::uuid[], %(marks)s::bigint[], %(due_ats)s::timestamptz[], %(are_failures)s::boolean[])
        as w(profile_id, mark, due_at, is_failure)
        on s.profile_id = w.profile_id and s.mark = w.mark
    where s.system = %(system)s::text
    order by s.profile_id
    for update of s
)
update outbox.stale s
set attempts = s.attempts + again.is_failure::int, due_at = again.due_at
from again
where s.system = %(system)s::text and s.profile_id = again.profile_id and s.mark = again.mark
