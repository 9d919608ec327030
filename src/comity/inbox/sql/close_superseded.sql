-- Close parked items whose record has said something newer that speaks of what was wrong.
-- Takes the change_ids of what came in, and closed_at.
-- Uses parked_open. A late version, older by the system's own clock than what is parked, closes nothing; nor does one
-- without the field that could not be read, since that is still to be put right.
with superseded as materialized (
    select p.change_id, n.change_id as newer_id, n.kind, c.payload as payload, n.payload as newer_payload,
        convert_to('"' || regexp_replace(coalesce(p.field, ''), '^.*[.]', '') || '"', 'UTF8') as quoted
    from inbox.change n
    join inbox.parked p
        on p.system = n.system and p.stream = n.stream and p.external_id = n.external_id and p.closed_at is null
    join inbox.change c on c.change_id = p.change_id
    where n.change_id = any(%(change_ids)s::bigint[]) and c.change_id < n.change_id and coalesce(c.source_at <= n.source_at, true)
)
update inbox.parked p set closed_at = %(closed_at)s::timestamptz, closed_by = 'change ' || s.newer_id
from superseded s
where p.change_id = s.change_id
    and (
        s.quoted = '""' or s.kind <> 'upsert'
        or position(s.quoted in s.newer_payload) > 0 or position(s.quoted in s.payload) = 0
    )
