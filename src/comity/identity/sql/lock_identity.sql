-- One resolution at a time; the lock ends with the transaction.
select pg_advisory_xact_lock(7202612)
