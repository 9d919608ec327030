-- Holds of a unit whose deadline has passed.
-- Takes unit, now and limit_max. Returns hold ids. Relies on open_hold_due.
select o.hold_id
from ledger.open_hold o
join ledger.hold h using (hold_id)
join ledger.account a using (account_id)
where o.deadline_at <= %(now)s and a.unit = %(unit)s
order by o.deadline_at, o.hold_id
limit %(limit_max)s
