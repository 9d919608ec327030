-- See to it that no record goes to somebody else before the transaction ends. Many hold on at a time.
select pg_advisory_xact_lock_shared(7202614)
