-- Try again later; a delivery that only waits for something to be taken in first is no failed attempt.
-- Takes system, profile_ids, due_ats, are_failures.
update outbox.stale s
set claimed_until = null, attempts = s.attempts + w.is_failure::int, due_at = w.due_at
from unnest(%(profile_ids)s::uuid[], %(due_ats)s::timestamptz[], %(are_failures)s::boolean[]) as w(profile_id, due_at, is_failure)
where s.system = %(system)s::text and s.profile_id = w.profile_id
