-- Wait for every batch that may still post into an open period, and keep others out until this transaction ends.
-- Returns nothing.
select pg_advisory_xact_lock(5495307170)
