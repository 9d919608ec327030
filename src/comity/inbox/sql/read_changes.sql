-- Changes after a place, in (xid, change_id) order, below the snapshot horizon.
-- Takes xid, id, count_max. Uses index change_in_order (the order must name the table's own xid, not the output's).
select c.change_id, c.xid::text::bigint as xid, c.system, c.stream, c.external_id, c.version, c.kind, c.source_at,
    c.received_at, c.survivor_id, c.payload
from inbox.change c
where (c.xid, c.change_id) > (%(xid)s::bigint::text::xid8, %(id)s::bigint)
  and c.xid < pg_snapshot_xmin(pg_current_snapshot())
order by c.xid, c.change_id
limit %(count_max)s::int
