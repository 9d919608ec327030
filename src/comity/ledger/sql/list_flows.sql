-- What transfers since one moved of which lots, in and out of shared accounts and of one side's own,
-- with what is reserved beside them.
-- Takes shared and side account ids, since. Returns Flow: of each transfer and lot the sums on either, how much of a lot
-- it made, and the transfer whose source it has (the one it reverses, the hold it captures, or itself) with that one's
-- holder. Relies on transfer_debits, transfer_credits and lot_entry_of_transfer.
with place as (
    select u.account_id, u.account_id = any(%(shared)s::bigint[]) as is_shared
    from unnest(%(shared)s::bigint[] || %(side)s::bigint[]) as u(account_id)
    union all
    select r.account_id, u.account_id = any(%(shared)s::bigint[])
    from unnest(%(shared)s::bigint[] || %(side)s::bigint[]) as u(account_id)
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
), undone as (
    -- What came back to somebody else counts as if it had come back here.
    select r.transfer_id
    from touched w
    join ledger.transfer r on r.reverses_transfer_id = w.transfer_id
    where r.transfer_id not in (select transfer_id from touched)
)
select
    t.transfer_id, t.kind, l.lot_id, l.shared_amount, l.side_amount, m.lot_amount is null as is_debt,
    case when l.lot_id = t.transfer_id then coalesce(t.lot_amount, 0) else 0 end as made_amount,
    coalesce(t.reverses_transfer_id, t.transfer_id) as base_id, o.transfer_id as origin_id,
    o.system, o.external_id,
    case when od.kind in ('member', 'pool') then o.debit_account_id else o.credit_account_id end as origin_account_id
from (select transfer_id, false as is_elsewhere from touched union all select transfer_id, true from undone) w
join ledger.transfer t using (transfer_id)
cross join lateral (
    select e.lot_id, coalesce(sum(e.amount) filter (where p.is_shared or w.is_elsewhere), 0)::bigint as shared_amount,
           coalesce(sum(e.amount) filter (where not p.is_shared), 0)::bigint as side_amount
    from ledger.v_lot_entry e
    left join place p using (account_id)
    where e.transfer_id = t.transfer_id and (p.account_id is not null or w.is_elsewhere and e.amount > 0)
    group by e.lot_id
) l
join ledger.transfer m on m.transfer_id = l.lot_id
left join ledger.hold_end h on h.capture_transfer_id = coalesce(t.reverses_transfer_id, t.transfer_id)
join ledger.transfer o on o.transfer_id = coalesce(h.hold_id, t.reverses_transfer_id, t.transfer_id)
join ledger.account od on od.account_id = o.debit_account_id
where l.shared_amount <> 0 or l.side_amount <> 0
order by t.transfer_id, l.lot_id
