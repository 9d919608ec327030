-- The pools a member is in, those of whoever they stand for included, the one that was joined first first.
-- Takes member_id. Returns KnownPool.
select p.pool_id, p.programme, p.account_id, p.opened_by
from programme.pool p
join (
    select j.pool_id, min(j.pool_member_id) as first_id
    from programme.member o
    join programme.pool_member j using (member_id)
    where (o.member_id = %(member_id)s or o.merged_into = %(member_id)s) and j.left_at is null
    group by j.pool_id
) w using (pool_id)
order by w.first_id
