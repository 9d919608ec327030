-- The place a reader has come to, without locking it.
-- Takes name. Returns xid, id, or no row for a reader that never ran.
select xid::text::bigint as xid, id from kernel.reader where name = %(name)s
