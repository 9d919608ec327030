-- Accounts of a unit with lots that expire, those that expired first; what is reserved keeps until its hold ends.
-- Takes unit, today, limit_max (of lots). Returns account ids, in order. Relies on holding_expiring: in the order of that
-- index nobody else is looked at, however many have points.
select distinct due.account_id
from (
    select h.account_id
    from ledger.holding h
    join ledger.account a using (account_id)
    where h.expires_on <= %(today)s and a.unit = %(unit)s and a.book = 'points' and a.kind <> 'reserved'
    order by h.expires_on, h.account_id
    limit %(limit_max)s
) due
order by due.account_id
