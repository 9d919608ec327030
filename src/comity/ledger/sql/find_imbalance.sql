-- Accounts whose stored balance is not the sum of their entries; there must be none.
-- Returns account ids.
select a.account_id
from ledger.account a
left join ledger.entry e using (account_id)
where a.balance is not null
group by a.account_id, a.balance
having a.balance <> coalesce(sum(e.amount), 0)
order by a.account_id
