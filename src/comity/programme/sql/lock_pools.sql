-- Hold pools: these ones, those that lots went to, and those that memberships are or have been in. Who holds members too
-- has done so before, and locks accounts after.
-- Takes pool_ids, lot_ids and member_ids, any of them may be empty. Returns (pool_id, account_id), in order.
select p.pool_id, p.account_id
from programme.pool p
where p.pool_id in (
    select u.pool_id from unnest(%(pool_ids)s::bigint[]) as u(pool_id)
    union
    select j.pool_id
    from programme.pool_share s
    join programme.pool_member j using (pool_member_id)
    where s.lot_id = any(%(lot_ids)s::bigint[])
    union
    select j.pool_id from programme.pool_member j where j.member_id = any(%(member_ids)s::bigint[])
)
order by p.pool_id
for no key update of p
