-- Let one transaction adjust points at a time, until it ends: what a maker may adjust is counted over all of them.
select pg_advisory_xact_lock(5495307171)
