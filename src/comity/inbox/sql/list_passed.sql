-- The newest changes of some records up to a place, in (xid, change_id) order.
-- Takes systems, streams, external_ids (arrays of equal length), xid, id, count_max. Relies on change_once.
select newest.*
from (
    select c.change_id, c.xid::text::bigint as xid, c.system, c.stream, c.external_id, c.version, c.kind, c.source_at,
        c.received_at, c.survivor_id, c.payload
    from unnest(%(systems)s::text[], %(streams)s::text[], %(external_ids)s::text[]) as w(system, stream, external_id)
    join inbox.change c using (system, stream, external_id)
    where (c.xid, c.change_id) <= (%(xid)s::bigint::text::xid8, %(id)s::bigint)
    order by c.xid desc, c.change_id desc
    limit %(count_max)s::int
) as newest
order by newest.xid, newest.change_id
