-- What is left in pools of lots that were brought there, whose they are by their purchase, and who brought them.
-- Takes lot_ids, pool_member_ids and member_ids (of who brought them), any of them may be empty. Returns Pooled, by lot.
select
    s.lot_id, s.transfer_id, p.pool_id, p.account_id as pool_account_id, h.rest, h.expires_on,
    nullif(h.available_from, 'infinity') as available_from, coalesce(h.available_from = 'infinity', false) as is_pending,
    j.member_id as brought_by, e.member_id as earned_by, t.system, t.external_id, (
        select count(*)
        from ledger.v_entry r
        where r.reverses_transfer_id = s.transfer_id and r.account_id = p.account_id
    ) as back_count
from programme.pool_share s
join programme.pool_member j using (pool_member_id)
join programme.pool p using (pool_id)
join programme.earning e on (e.purchase_id, e.programme) = (s.purchase_id, s.programme)
join ledger.v_holding h on (h.account_id, h.lot_id) = (p.account_id, s.lot_id)
join ledger.v_lot t on t.lot_id = s.lot_id
where h.rest > 0 and s.lot_id in (
    select u.lot_id from unnest(%(lot_ids)s::bigint[]) as u(lot_id)
    union
    select x.lot_id from programme.pool_share x where x.pool_member_id = any(%(pool_member_ids)s::bigint[])
    union
    select x.lot_id
    from programme.pool_member o
    join programme.pool_share x using (pool_member_id)
    where o.member_id = any(%(member_ids)s::bigint[])
)
order by s.lot_id
