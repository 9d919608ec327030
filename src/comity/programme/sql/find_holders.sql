-- Who is told of the points of accounts: the members behind them, those they were merged into followed; of a pool, who
-- has been in it longest.
-- Takes account_ids. Returns (account_id, profile_id, pool_id); the last is null for members.
select m.account_id, coalesce(s.profile_id, m.profile_id) as profile_id, null::bigint as pool_id
from programme.member m
left join programme.member s on s.member_id = m.merged_into
where m.account_id = any(%(account_ids)s::bigint[])
union all
select p.account_id, p.profile_id, p.pool_id
from programme.v_pool p
where p.account_id = any(%(account_ids)s::bigint[])
