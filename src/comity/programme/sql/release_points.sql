-- Let pending points become available whose day has come.
-- Takes programme and today. Returns (profile_id, points) of those who have more to spend now.
with former as (
    select p.programme, p.released_through
    from programme.programme p
    where p.programme = %(programme)s and p.released_through < %(today)s
    for update
), moved as (
    update programme.programme p set released_through = %(today)s from former f where p.programme = f.programme
)
select m.profile_id, sum(h.rest)::bigint as points
from former f
join programme.member m using (programme)
join ledger.v_holding h using (account_id)
where h.available_from > f.released_through and h.available_from <= %(today)s and m.merged_into is null
group by m.profile_id
order by m.profile_id
