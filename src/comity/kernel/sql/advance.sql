-- Move a reader forward, never back.
-- Takes name, xid, id. Returns nothing; touches one row, or none if the place is behind.
insert into kernel.reader (name, xid, id) values (%(name)s, %(xid)s::bigint::text::xid8, %(id)s::bigint)
on conflict (name) do update set xid = excluded.xid, id = excluded.id, moved_at = now()
where (kernel.reader.xid, kernel.reader.id) < (excluded.xid, excluded.id)
