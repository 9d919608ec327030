-- Keep others from changing accounts until this transaction ends, in the order of their ids.
-- Takes account ids. Returns AccountFacts of those that exist; others than holders are not locked.
with held as (
    select account_id from ledger.account
    where account_id = any(%(account_ids)s::bigint[]) and balance is not null
    order by account_id
    for no key update
)
select a.account_id, a.book, a.unit, a.kind, a.owner
from ledger.account a
left join held h using (account_id)
where a.account_id = any(%(account_ids)s::bigint[])
order by a.account_id
