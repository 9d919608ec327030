-- Note the next warnings that are due of points that expire: by member and day of expiry the most urgent one, once.
-- Takes programme, kind of points (null: the first), today, warn_days (ascending), limit_max, warned_at. Returns
-- (profile_id, expires_on, days, points, pool_id); what lies in a pool is told to who has been in it longest, pool_id is
-- null otherwise.
with holder as (
    select m.account_id, m.profile_id, null::bigint as pool_id
    from programme.member m
    where m.programme = %(programme)s and m.merged_into is null and %(kind)s::text is null
    union all
    select a.account_id, m.profile_id, null
    from programme.member m
    join programme.member_account a using (member_id)
    where m.programme = %(programme)s and m.merged_into is null and a.kind = %(kind)s::text
    union all
    select p.account_id, p.profile_id, p.pool_id
    from programme.v_pool p
    where p.programme = %(programme)s and %(kind)s::text is null
), due as (
    select
        m.profile_id, m.pool_id, h.account_id, h.expires_on, sum(h.rest)::bigint as points, (
            select min(d.days) from unnest(%(warn_days)s::int[]) as d(days) where h.expires_on <= %(today)s::date + d.days
        ) as days
    from ledger.v_holding h
    join holder m using (account_id)
    where h.rest > 0 and h.expires_on > %(today)s::date
      and h.expires_on <= %(today)s::date + (select max(d.days) from unnest(%(warn_days)s::int[]) as d(days))
    group by m.profile_id, m.pool_id, h.account_id, h.expires_on
), noted as (
    insert into programme.expiry_warning (programme, account_id, expires_on, days, warned_at)
    select %(programme)s, w.account_id, w.expires_on, w.days, %(warned_at)s
    from due w
    where not exists (
        select from programme.expiry_warning k
        where k.account_id = w.account_id and k.expires_on = w.expires_on and k.days <= w.days
    )
    order by w.account_id, w.expires_on
    limit %(limit_max)s
    returning account_id, expires_on, days
)
select w.profile_id, w.expires_on, w.days, w.points, w.pool_id
from noted n
join due w using (account_id, expires_on, days)
order by w.expires_on, w.profile_id
