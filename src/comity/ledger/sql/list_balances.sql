-- Balances of accounts: the stored one, or the sum of the entries where none is stored.
-- Takes account ids. Returns (account_id, balance) of those that exist.
select
    a.account_id,
    coalesce(a.balance, (select sum(e.amount)::bigint from ledger.v_entry e where e.account_id = a.account_id), 0)
from ledger.account a
where a.account_id = any(%(account_ids)s::bigint[])
