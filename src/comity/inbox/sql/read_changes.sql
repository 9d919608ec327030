-- Changes after a place, in (xid, change_id) order, below the snapshot horizon.
-- Takes xid, id, count_max. Uses index change_in_order.
select change_id, xid::text::bigint as xid, system, stream, external_id, version, kind, source_at, received_at, survivor_id, payload
from inbox.change
where (xid, change_id) > (%(xid)s::bigint::text::xid8, %(id)s::bigint)
  and xid < pg_snapshot_xmin(pg_current_snapshot())
order by xid, change_id
limit %(count_max)s::int
