-- Close parked items whose record has said something newer that could be used.
-- Takes arrays of equal length of what could be used (systems, streams, external_ids, change_ids, source_ats), closed_at.
-- Uses parked_open. A late version, older by the system's own clock than what is parked, closes nothing.
update inbox.parked p set closed_at = %(closed_at)s::timestamptz, closed_by = 'change ' || w.change_id
from unnest(
        %(systems)s::text[], %(streams)s::text[], %(external_ids)s::text[], %(change_ids)s::bigint[],
        %(source_ats)s::timestamptz[]
    ) as w(system, stream, external_id, change_id, source_at),
    inbox.change c
where p.system = w.system and p.stream = w.stream and p.external_id = w.external_id and p.closed_at is null
  and c.change_id = p.change_id and c.change_id < w.change_id and coalesce(c.source_at <= w.source_at, true)
