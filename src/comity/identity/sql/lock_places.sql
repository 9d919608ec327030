-- Wait until nobody relies on whose records are; the lock ends with the transaction.
select pg_advisory_xact_lock(7202614)
