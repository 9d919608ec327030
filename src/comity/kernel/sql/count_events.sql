-- How many events of some kinds stand after a place, readable or not yet.
-- Takes kinds, xid, id. Uses index event_in_order.
select count(*) from kernel.event e
where (e.xid, e.event_id) > (%(xid)s::bigint::text::xid8, %(id)s::bigint) and e.kind = any(%(kinds)s::text[])
