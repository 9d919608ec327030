-- Move a stream's cursor in the transaction that stored the page.
-- Takes system, stream, cursor, read_count, is_last (the page is the last one for now), now.
insert into systems.cursor as c (system, stream, cursor, read_count, moved_at, whole_xid)
values (
    %(system)s, %(stream)s, %(cursor)s, %(read_count)s, %(now)s,
    case when %(is_last)s::boolean then pg_current_xact_id() end
)
on conflict (system, stream) do update
set cursor = excluded.cursor, read_count = c.read_count + excluded.read_count, moved_at = excluded.moved_at,
    whole_xid = coalesce(c.whole_xid, excluded.whole_xid)
