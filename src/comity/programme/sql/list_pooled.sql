-- What is left in pools of lots that were brought there.
-- Takes lot_ids and pool_member_ids, either may be empty. Returns Pooled, by lot.
select s.lot_id, s.points, p.account_id as pool_account_id, h.rest
from programme.pool_share s
join programme.pool_member j using (pool_member_id)
join programme.pool p using (pool_id)
join ledger.v_holding h on (h.account_id, h.lot_id) = (p.account_id, s.lot_id)
where (s.lot_id = any(%(lot_ids)s::bigint[]) or s.pool_member_id = any(%(pool_member_ids)s::bigint[])) and h.rest > 0
order by s.lot_id
