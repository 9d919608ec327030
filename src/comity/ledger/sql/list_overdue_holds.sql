-- Holds whose deadline has passed.
-- Takes now and limit_max. Returns hold ids. Relies on open_hold_due.
select hold_id from ledger.open_hold where deadline_at <= %(now)s order by deadline_at, hold_id limit %(limit_max)s
