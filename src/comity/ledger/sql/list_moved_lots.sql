-- What transfers moved, lot by lot, as far as it has not been undone: the lines of each transfer and of its reversals.
-- Takes transfer ids. Returns (transfer_id, account_id, lot_id, amount, expires_on, available_from, is_pending) with
-- the terms of now, in the order of spending; the lot that a transfer made itself is among them. Relies on
-- lot_entry_of_transfer; each transfer is looked up by itself (`offset 0`), since a join would read the whole view.
select
    m.transfer_id, m.account_id, m.lot_id, m.amount, t.expires_on,
    nullif(t.available_from, 'infinity') as available_from,
    coalesce(t.available_from = 'infinity', false) as is_pending
from (
    select w.transfer_id, e.account_id, e.lot_id, sum(e.amount)::bigint as amount
    from (
        select u.transfer_id, u.transfer_id as moved_by from unnest(%(transfer_ids)s::bigint[]) as u(transfer_id)
        union all
        select r.reverses_transfer_id, r.transfer_id
        from ledger.transfer r
        where r.reverses_transfer_id = any(%(transfer_ids)s::bigint[])
    ) w
    cross join lateral (
        select v.account_id, v.lot_id, v.amount from ledger.v_lot_entry v where v.transfer_id = w.moved_by offset 0
    ) e
    group by w.transfer_id, e.account_id, e.lot_id
    having sum(e.amount) <> 0
) m
left join ledger.v_lot_term t using (lot_id)
order by m.transfer_id, t.expires_on nulls last, m.lot_id
