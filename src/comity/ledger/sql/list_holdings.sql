-- Open lots of accounts, in the order of spending; debts are lots of a negative rest and come last.
-- Takes account ids. Returns Holding.
select
    account_id, lot_id, rest, expires_on, nullif(available_from, 'infinity') as available_from,
    coalesce(available_from = 'infinity', false) as is_pending
from ledger.holding
where account_id = any(%(account_ids)s::bigint[])
order by account_id, rest < 0, expires_on nulls last, lot_id
