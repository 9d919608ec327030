-- Move a stream's cursor in the transaction that stored the page.
-- Takes system, stream, cursor, read_count, now.
insert into systems.cursor as c (system, stream, cursor, read_count, moved_at)
values (%(system)s, %(stream)s, %(cursor)s, %(read_count)s, %(now)s)
on conflict (system, stream) do update
set cursor = excluded.cursor, read_count = c.read_count + excluded.read_count, moved_at = excluded.moved_at
