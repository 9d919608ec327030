-- True when changes stand after a place, readable or not yet.
-- Takes xid, id.
select exists(
    select from outbox.change c where (c.xid, c.change_id) > (%(xid)s::bigint::text::xid8, %(id)s::bigint)
)
