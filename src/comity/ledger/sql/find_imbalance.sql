-- Holders whose stored figures disagree with the books; there must be none. The balance is the sum of the entries and
-- of the open lots, what is owed is the sum of the debts, and each open rest is what the lines of its lot add up to.
-- Returns account ids.
with booked as (
    select account_id, sum(amount) as amount from ledger.v_entry group by account_id
), line as (
    select account_id, lot_id, sum(amount) as rest
    from ledger.v_lot_entry
    group by account_id, lot_id
    having sum(amount) <> 0
), astray as (
    select coalesce(l.account_id, h.account_id) as account_id
    from line l
    full join ledger.holding h using (account_id, lot_id)
    where l.rest is distinct from h.rest
), held as (
    select account_id, sum(rest) as rest, -coalesce(sum(rest) filter (where rest < 0), 0) as owed
    from ledger.holding
    group by account_id
)
select a.account_id
from ledger.account a
left join booked b using (account_id)
left join held h using (account_id)
where a.balance is not null and (
    a.balance <> coalesce(b.amount, 0)
    or (a.book = 'points' and (a.balance <> coalesce(h.rest, 0) or a.owed <> coalesce(h.owed, 0)))
)
union
select account_id from astray
order by account_id
