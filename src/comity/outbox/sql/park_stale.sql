-- Set marks aside with a reason, unless they changed meanwhile (then they are tried again).
-- Takes system, profile_ids, marks, codes, messages, now. Locks in the order in which marks are made.
with parked as materialized (
    select s.profile_id, s.mark, w.code, w.message
    from outbox.stale s
    join unnest(%(profile_ids)s::uuid[], %(marks)s::bigint[], %(codes)s::text[], %(messages)s::text[])
        as w(profile_id, mark, code, message)
        on s.profile_id = w.profile_id and s.mark = w.mark
    where s.system = %(system)s::text
    order by s.profile_id
    for update of s
)
update outbox.stale s
set parked_code = parked.code, parked_message = parked.message, parked_at = %(now)s::timestamptz
from parked
where s.system = %(system)s::text and s.profile_id = parked.profile_id and s.mark = parked.mark
