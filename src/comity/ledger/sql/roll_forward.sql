-- What changed the points that are outstanding in a period, from the entries alone.
-- Takes unit, first_on, last_on. Returns one row: opening, issued, redeemed, expired, adjusted, closing. Moves between
-- holders (gifts, merges, holds) change nothing; what names another transfer, or says that it adjusts, is adjusted.
with moved as (
    select e.transfer_id, sum(e.amount) as amount
    from ledger.v_entry e
    join ledger.account a using (account_id)
    where a.book = 'points' and a.unit = %(unit)s and a.kind in ('member', 'pool', 'reserved', 'suspense')
    group by e.transfer_id
    having sum(e.amount) <> 0
), movement as (
    select m.amount, t.effective_on, case
        when t.reverses_transfer_id is not null or t.kind = 'adjust' then 'adjusted'
        when d.kind = 'expired' or c.kind = 'expired' then 'expired'
        when m.amount > 0 then 'issued'
        else 'redeemed' end as what
    from moved m
    join ledger.transfer t using (transfer_id)
    join ledger.account d on d.account_id = t.debit_account_id
    join ledger.account c on c.account_id = t.credit_account_id
    where t.effective_on <= %(last_on)s
)
select
    coalesce(sum(amount) filter (where effective_on < %(first_on)s), 0)::bigint as opening,
    coalesce(sum(amount) filter (where effective_on >= %(first_on)s and what = 'issued'), 0)::bigint as issued,
    coalesce(-sum(amount) filter (where effective_on >= %(first_on)s and what = 'redeemed'), 0)::bigint as redeemed,
    coalesce(-sum(amount) filter (where effective_on >= %(first_on)s and what = 'expired'), 0)::bigint as expired,
    coalesce(sum(amount) filter (where effective_on >= %(first_on)s and what = 'adjusted'), 0)::bigint as adjusted,
    coalesce(sum(amount), 0)::bigint as closing
from movement
