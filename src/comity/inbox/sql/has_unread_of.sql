-- True when changes of a stream up to a transaction stand after a place.
-- Takes xid, id, until_xid, system, stream. Uses index change_in_order.
select exists(
    select from inbox.change c
    where (c.xid, c.change_id) > (%(xid)s::bigint::text::xid8, %(id)s::bigint)
      and c.xid <= %(until_xid)s::bigint::text::xid8 and c.system = %(system)s::text and c.stream = %(stream)s::text
)
