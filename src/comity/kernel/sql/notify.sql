-- Wake whoever listens, when the transaction commits.
-- Takes channel, payload.
select pg_notify(%(channel)s, %(payload)s)
