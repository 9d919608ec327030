-- The place a reader has come to, made on first use. Locks the reader's row, so that one worker moves it at a time.
-- Takes name. Returns xid, id.
insert into kernel.reader (name) values (%(name)s)
on conflict (name) do update set name = excluded.name
returning xid::text::bigint as xid, id
