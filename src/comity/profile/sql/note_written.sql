-- Remember what was written into records, on top of what was noted before.
-- The time is that of the last write: where the system tells it by the system's own clock, which need not be ours.
-- Takes arrays of equal length, values as objects {attribute: canonical text}; unknown records are left out.
update profile.observation o
set written = o.written || w.written, written_at = %(now)s
from (
    select record_id, written::jsonb
    from unnest(%(record_ids)b::bigint[], %(written)s::text[]) as w(record_id, written)
    order by record_id
) as w
where o.record_id = w.record_id
