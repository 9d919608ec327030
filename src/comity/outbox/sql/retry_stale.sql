-- Try again later.
-- Takes system, profile_ids, due_ats.
update outbox.stale s
set claimed_until = null, attempts = s.attempts + 1, due_at = w.due_at
from unnest(%(profile_ids)s::uuid[], %(due_ats)s::timestamptz[]) as w(profile_id, due_at)
where s.system = %(system)s::text and s.profile_id = w.profile_id
