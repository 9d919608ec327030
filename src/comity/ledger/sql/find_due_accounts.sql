-- Accounts of a unit with lots that expire; what is reserved keeps until its hold ends.
-- Takes unit, today, limit_max. Returns account ids, in order. Relies on holding_expiring.
select distinct h.account_id
from ledger.holding h
join ledger.account a using (account_id)
where h.expires_on <= %(today)s and a.unit = %(unit)s and a.book = 'points' and a.kind <> 'reserved'
order by h.account_id
limit %(limit_max)s
