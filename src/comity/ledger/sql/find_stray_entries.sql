-- Transfers whose entries are not what the transfer says: one is missing, changed, or there is one too many.
-- Returns transfer ids, at most 100.
with leg as (
    select t.transfer_id, l.account_id, l.amount, l.balance_after, l.leg
    from ledger.transfer t
    cross join lateral (values
        (t.debit_account_id, -t.amount, t.debit_balance_after, 1),
        (t.credit_account_id, t.amount, t.credit_balance_after, 1),
        (t.money_debit_account_id, -t.money_amount, null, 2), (t.money_credit_account_id, t.money_amount, null, 2)
    ) as l(account_id, amount, balance_after, leg)
    where l.amount is not null
)
select coalesce(l.transfer_id, e.transfer_id) as transfer_id
from leg l
full join ledger.entry e on (e.account_id, e.transfer_id) = (l.account_id, l.transfer_id)
where (l.amount, l.balance_after, l.leg) is distinct from (e.amount, e.balance_after, e.leg::int)
group by 1
order by 1
limit 100
