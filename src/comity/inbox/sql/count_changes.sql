-- How much waits behind a place, and since when.
-- Takes xid, id (the unify reader's place). Returns one row a system that something waits of.
select c.system, count(*) as waiting_count, min(c.received_at) as oldest_at
from inbox.change c
where (c.xid, c.change_id) > (%(xid)s::bigint::text::xid8, %(id)s::bigint)
group by c.system
