-- Transfers whose lots do not add up to what they moved of a holder's points.
-- Returns transfer ids, at most 100.
with moved as (
    select e.transfer_id, e.account_id, e.amount
    from ledger.v_entry e
    join ledger.account a using (account_id)
    where a.book = 'points' and a.balance is not null
), lotted as (
    select transfer_id, account_id, sum(amount) as amount from ledger.v_lot_entry group by transfer_id, account_id
)
select coalesce(m.transfer_id, l.transfer_id) as transfer_id
from moved m
full join lotted l using (transfer_id, account_id)
where m.amount is distinct from l.amount
group by 1
order by 1
limit 100
