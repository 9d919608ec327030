-- Remember what was written into records, on top of what was noted before.
-- The time is that of the last write: where the system tells it by the system's own clock, which need not be ours.
-- Takes arrays of equal length, values as objects {attribute: canonical text}; unknown records are left out.
-- Locks in the order in which everybody locks records.
with locked as materialized (
    select o.record_id, w.written::jsonb as written
    from unnest(%(record_ids)b::bigint[], %(written)s::text[]) as w(record_id, written)
    join profile.observation o using (record_id)
    order by o.record_id
    for no key update of o
)
update profile.observation o
set written = o.written || l.written, written_at = %(now)s
from locked l
where o.record_id = l.record_id
