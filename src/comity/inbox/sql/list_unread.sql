-- Of these changes, the ones a reader has not passed yet.
-- Takes arrays of equal length (systems, streams, external_ids, versions), xid, id. Relies on change_once.
select w.position::int as position
from unnest(%(systems)s::text[], %(streams)s::text[], %(external_ids)s::text[], %(versions)s::text[])
    with ordinality as w(system, stream, external_id, version, position)
join inbox.change c on (c.system, c.stream, c.external_id, c.version) = (w.system, w.stream, w.external_id, w.version)
where (c.xid, c.change_id) > (%(xid)s::bigint::text::xid8, %(id)s::bigint)
order by w.position
