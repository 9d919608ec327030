-- Events of some kinds after a place, in (xid, event_id) order, below the snapshot horizon.
-- Takes kinds, xid, id, count_max. Uses index event_in_order.
select event_id, xid::text::bigint as xid, kind, payload, occurred_at
from kernel.event
where (xid, event_id) > (%(xid)s::bigint::text::xid8, %(id)s::bigint)
  and xid < pg_snapshot_xmin(pg_current_snapshot())
  and kind = any(%(kinds)s::text[])
order by xid, event_id
limit %(count_max)s::int
