-- Lots of purchases whose members are in a pool since before they earned them, and that nothing was pooled of yet; the pool
-- is the one that was joined first.
-- Takes programme and purchase_ids. Returns Contribution, by purchase in the order of its lots.
select e.purchase_id, l.transfer_id as lot_id, l.points, h.rest, m.member_id, m.profile_id, m.account_id,
       s.pool_member_id, s.seat_profile_id, s.pool_account_id, t.system, t.external_id, h.expires_on,
       nullif(h.available_from, 'infinity') as available_from,
       coalesce(h.available_from = 'infinity', false) as is_pending
from programme.earning e
join programme.member m on m.member_id = e.member_id and m.merged_into is null
join programme.earned_lot l on (l.purchase_id, l.programme) = (e.purchase_id, e.programme)
join ledger.v_holding h on (h.account_id, h.lot_id) = (m.account_id, l.transfer_id)
join ledger.v_lot t on t.lot_id = l.transfer_id
cross join lateral (
    select j.pool_member_id, o.profile_id as seat_profile_id, p.account_id as pool_account_id
    from programme.member o
    join programme.pool_member j on j.member_id = o.member_id
    join programme.pool p using (pool_id)
    where (o.member_id = m.member_id or o.merged_into = m.member_id) and j.left_at is null
      and j.joined_at <= e.earned_at
    order by j.pool_member_id
    limit 1
) s
where e.programme = %(programme)s and e.purchase_id = any(%(purchase_ids)s::bigint[]) and h.rest > 0
  and not exists (
      select from programme.pool_share d where (d.purchase_id, d.programme) = (e.purchase_id, e.programme)
  )
order by e.purchase_id, l.lot_number
