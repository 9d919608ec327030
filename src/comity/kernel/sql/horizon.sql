-- The oldest transaction that may still be running: everything below it is decided.
select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as xid
