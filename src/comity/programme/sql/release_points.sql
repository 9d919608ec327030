-- Let pending points become available whose day has come.
-- Takes programme and today. Returns (profile_id, points, pool_id) of those who have more to spend now; what lies in a
-- pool is told to who has been in it longest, pool_id is null otherwise.
with former as (
    select p.programme, p.released_through
    from programme.programme p
    where p.programme = %(programme)s and p.released_through < %(today)s
    for update
), moved as (
    update programme.programme p set released_through = %(today)s from former f where p.programme = f.programme
), due as (
    select m.profile_id, null::bigint as pool_id, h.rest
    from former f
    join programme.member m using (programme)
    join ledger.v_holding h using (account_id)
    where h.available_from > f.released_through and h.available_from <= %(today)s and m.merged_into is null
    union all
    select p.profile_id, p.pool_id, h.rest
    from former f
    join programme.v_pool p using (programme)
    join ledger.v_holding h using (account_id)
    where h.available_from > f.released_through and h.available_from <= %(today)s
)
select profile_id, sum(rest)::bigint as points, pool_id
from due
group by profile_id, pool_id
order by profile_id, pool_id nulls first
