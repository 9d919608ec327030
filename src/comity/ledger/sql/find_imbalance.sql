-- Holders whose stored figures disagree with the books; there must be none. The balance is the sum of the entries and
-- of the open lots, what is owed is the sum of the debts, each open rest is what the lines of its lot add up to, and its
-- terms are those the lot was made with or the last it was given; a debt has none.
-- Returns (account_id, lot_id), without a lot where it is the account itself that disagrees.
with booked as (
    select account_id, sum(amount) as amount from ledger.v_entry group by account_id
), line as (
    select account_id, lot_id, sum(amount) as rest
    from ledger.v_lot_entry
    group by account_id, lot_id
    having sum(amount) <> 0
), changed as (
    select distinct on (lot_id) lot_id, expires_on, available_from
    from ledger.lot_term
    order by lot_id, lot_term_id desc
), term as (
    select
        t.transfer_id as lot_id, case when c.lot_id is null then t.expires_on else c.expires_on end as expires_on,
        case when c.lot_id is null then t.available_from else c.available_from end as available_from
    from ledger.transfer t
    left join changed c on c.lot_id = t.transfer_id
    where t.lot_amount is not null
), astray as (
    select coalesce(l.account_id, h.account_id) as account_id, coalesce(l.lot_id, h.lot_id) as lot_id
    from line l
    full join ledger.holding h using (account_id, lot_id)
    left join term t on t.lot_id = h.lot_id
    where l.rest is distinct from h.rest
       or (h.expires_on, h.available_from) is distinct from (t.expires_on, t.available_from)
), held as (
    select account_id, sum(rest) as rest, -coalesce(sum(rest) filter (where rest < 0), 0) as owed
    from ledger.holding
    group by account_id
)
select a.account_id, null as lot_id
from ledger.account a
left join booked b using (account_id)
left join held h using (account_id)
where a.balance is not null and (
    a.balance <> coalesce(b.amount, 0)
    or (a.book = 'points' and (a.balance <> coalesce(h.rest, 0) or a.owed <> coalesce(h.owed, 0)))
)
union
select account_id, lot_id from astray
order by account_id, lot_id nulls first
