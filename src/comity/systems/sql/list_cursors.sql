-- All cursors.
select system, stream, cursor, read_count, moved_at from systems.cursor order by system, stream
