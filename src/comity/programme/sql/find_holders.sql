-- Who is told of the points of accounts: the members behind them, those they were merged into followed; of a pool, who
-- has been in it longest.
-- Takes account_ids. Returns (account_id, profile_id, pool_id, kind of points); pool_id is null for members.
with held as (
    select m.account_id, m.member_id, null as kind
    from programme.member m
    where m.account_id = any(%(account_ids)s::bigint[])
    union all
    select a.account_id, a.member_id, a.kind
    from programme.member_account a
    where a.account_id = any(%(account_ids)s::bigint[])
)
select h.account_id, coalesce(s.profile_id, m.profile_id) as profile_id, null::bigint as pool_id,
       coalesce(h.kind, p.kind) as kind
from held h
join programme.member m using (member_id)
join programme.programme p on p.programme = m.programme
left join programme.member s on s.member_id = m.merged_into
union all
select v.account_id, v.profile_id, v.pool_id, p.kind
from programme.v_pool v
join programme.programme p using (programme)
where v.account_id = any(%(account_ids)s::bigint[])
