-- Set marks aside with a reason, unless they changed meanwhile (then they are tried again).
-- Takes system, profile_ids, marks, codes, messages, now.
update outbox.stale s
set claimed_until = null,
    parked_code = case when s.mark = w.mark then w.code end,
    parked_message = case when s.mark = w.mark then w.message end,
    parked_at = case when s.mark = w.mark then %(now)s::timestamptz end
from unnest(%(profile_ids)s::uuid[], %(marks)s::bigint[], %(codes)s::text[], %(messages)s::text[])
    as w(profile_id, mark, code, message)
where s.system = %(system)s::text and s.profile_id = w.profile_id
