-- All cursors.
select system, stream, cursor, read_count, moved_at, whole_xid::text::bigint as whole_xid, is_settled
from systems.cursor order by system, stream
