-- True when changes stand after a place, readable or not yet.
-- Takes xid, id. Uses index change_in_order.
select exists(
    select from inbox.change c where (c.xid, c.change_id) > (%(xid)s::bigint::text::xid8, %(id)s::bigint)
)
