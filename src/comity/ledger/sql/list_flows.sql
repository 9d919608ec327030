-- The history of the lots that transfers since one touched in accounts and in what is reserved beside them, and of those
-- that the given transfers and their reversals touched.
-- Takes account_ids, since, transfer_ids. Returns Flow: of each transfer, lot and holder (what is reserved counts as the
-- holder's) the sum, how much of the lot it made, and the transfer on whose behalf it was posted: the one its source
-- names, the one it reverses, the hold it captures, or itself. Where a transfer touches a debt, all its lots are told.
-- Relies on transfer_debits, transfer_credits, lot_entry's key and lot_entry_of_transfer; lines of lots are looked up one
-- by one (`offset 0`), since a join would read the whole view.
with recursive place as (
    select u.account_id from unnest(%(account_ids)s::bigint[]) as u(account_id)
    union all
    select r.account_id
    from unnest(%(account_ids)s::bigint[]) as u(account_id)
    join ledger.account a using (account_id)
    join ledger.account r on (r.owner, r.unit, r.kind, r.book) = ('account:' || a.account_id, a.unit, 'reserved', a.book)
), touched as (
    select t.transfer_id
    from place p
    join ledger.transfer t on t.debit_account_id = p.account_id
    where t.transfer_id >= %(since)s and t.debit_balance_after is not null
    union
    select t.transfer_id
    from place p
    join ledger.transfer t on t.credit_account_id = p.account_id
    where t.transfer_id >= %(since)s and t.credit_balance_after is not null
    union
    select u.transfer_id from unnest(%(transfer_ids)s::bigint[]) as u(transfer_id)
    union
    select t.transfer_id from ledger.transfer t where t.reverses_transfer_id = any(%(transfer_ids)s::bigint[])
), reached as (
    select true as is_lot, e.lot_id as id
    from touched w
    cross join lateral (select v.lot_id from ledger.v_lot_entry v where v.transfer_id = w.transfer_id offset 0) e
    union
    select x.is_lot, x.id
    from reached w
    cross join lateral (
        select false as is_lot, e.transfer_id as id from ledger.v_lot_entry e where w.is_lot and e.lot_id = w.id
        union all
        select true, e.lot_id
        from ledger.v_lot_entry e
        where not w.is_lot and e.transfer_id = w.id and exists (
            select
            from ledger.lot_entry d
            join ledger.transfer m on m.transfer_id = d.lot_id
            where d.transfer_id = w.id and m.lot_amount is null
        )
    ) x
), line as (
    select
        e.transfer_id, e.lot_id, a.holder_id, sum(e.amount)::bigint as amount
    from reached w
    cross join lateral (
        select v.transfer_id, v.lot_id, v.account_id, v.amount from ledger.v_lot_entry v where v.lot_id = w.id offset 0
    ) e
    join ledger.v_holder a using (account_id)
    where w.is_lot
    group by e.transfer_id, e.lot_id, a.holder_id
)
select
    t.transfer_id, t.kind, l.lot_id, l.holder_id, l.amount, m.lot_amount is null as is_debt,
    case when l.lot_id = t.transfer_id then coalesce(t.lot_amount, 0) else 0 end as made_amount,
    d.holder_id as debit_holder_id, c.holder_id as credit_holder_id, b.transfer_id as base_id,
    o.transfer_id as origin_id, o.idempotency_key as origin_key, coalesce(od.holder_id, oc.holder_id) as origin_account_id
from line l
join ledger.transfer t using (transfer_id)
join ledger.transfer m on m.transfer_id = l.lot_id
join ledger.transfer b on b.transfer_id = coalesce(t.reverses_transfer_id, t.transfer_id)
left join ledger.hold_end h
    on coalesce(h.capture_transfer_id, h.release_transfer_id) = b.transfer_id and h.capture_transfer_id is not null
join ledger.transfer o on o.transfer_id = coalesce(
    case when t.system = 'comity:transfer' then t.external_id::bigint end, h.hold_id, b.transfer_id)
left join ledger.v_holder d on d.account_id = t.debit_account_id
left join ledger.v_holder c on c.account_id = t.credit_account_id
left join ledger.v_holder od on od.account_id = o.debit_account_id
left join ledger.v_holder oc on oc.account_id = o.credit_account_id
order by t.transfer_id, l.lot_id, l.holder_id
