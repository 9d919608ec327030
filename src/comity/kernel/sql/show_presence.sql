-- Show, for as long as this session lives, that a holder of leases is alive. Waits for the end of a former session.
-- Takes presence.
select pg_advisory_lock(%(presence)s::bigint)
