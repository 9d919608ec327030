-- Let pending points become available whose day has come.
-- Takes programme and today. Returns (profile_id, kind, points, pool_id) of those who have more to spend now; what lies in
-- a pool is told to who has been in it longest, pool_id is null otherwise.
with former as (
    select p.programme, p.kind, p.released_through
    from programme.programme p
    where p.programme = %(programme)s and p.released_through < %(today)s
    for update
), moved as (
    update programme.programme p set released_through = %(today)s from former f where p.programme = f.programme
), account as (
    select m.profile_id, f.kind, m.account_id, f.released_through, null::bigint as pool_id
    from former f
    join programme.member m using (programme)
    where m.merged_into is null
    union all
    select m.profile_id, a.kind, a.account_id, f.released_through, null
    from former f
    join programme.member m using (programme)
    join programme.member_account a using (member_id)
    where m.merged_into is null
    union all
    select p.profile_id, f.kind, p.account_id, f.released_through, p.pool_id
    from former f
    join programme.v_pool p using (programme)
)
select a.profile_id, a.kind, sum(h.rest)::bigint as points, a.pool_id
from account a
join ledger.v_holding h using (account_id)
where h.available_from > a.released_through and h.available_from <= %(today)s
group by a.profile_id, a.kind, a.pool_id
order by a.profile_id, a.kind, a.pool_id nulls first
