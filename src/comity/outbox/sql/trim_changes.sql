-- Delete what every reader has passed.
-- Takes xid, id (the place of the slowest).
delete from outbox.change c where (c.xid, c.change_id) <= (%(xid)s::bigint::text::xid8, %(id)s::bigint)
