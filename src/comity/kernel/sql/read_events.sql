-- Events of some kinds after a place, in (xid, event_id) order, below the snapshot horizon.
-- Takes kinds, xid, id, count_max. Uses index event_in_order (the order must name the table's own xid).
select e.event_id, e.xid::text::bigint as xid, e.kind, e.payload, e.occurred_at
from kernel.event e
where (e.xid, e.event_id) > (%(xid)s::bigint::text::xid8, %(id)s::bigint)
  and e.xid < pg_snapshot_xmin(pg_current_snapshot())
  and e.kind = any(%(kinds)s::text[])
order by e.xid, e.event_id
limit %(count_max)s::int
