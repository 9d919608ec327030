-- Set marks aside with a reason, unless they changed meanwhile (then they are tried again).
-- Takes system, profile_ids, marks, codes, messages, now.
update outbox.stale s
set parked_code = w.code, parked_message = w.message, parked_at = %(now)s::timestamptz
from unnest(%(profile_ids)s::uuid[], %(marks)s::bigint[], %(codes)s::text[], %(messages)s::text[])
    as w(profile_id, mark, code, message)
where s.system = %(system)s::text and s.profile_id = w.profile_id and s.mark = w.mark
