-- Recompute qualifying points and tier of members on a ladder whose levels follow the points of its window at once.
-- Takes member ids; first and last day that count; the ladder, the names of its levels and where each starts, low to
-- high; its length as years, months, days (null where it does not roll), or ends_on, the day all of it counts no more
-- (null where it does not end), and the time. Returns TierMove of those whose tier changed. Relies on earning_in_window.
-- The day that is due may come early, by a day that a month does not have; it is never late.
with standing as (
    select m.member_id, m.tier as old_tier, w.points, w.due_on
    from programme.member m
    cross join lateral (
        select coalesce(sum(e.points) filter (where e.effective_on <= %(last_on)s), 0)::bigint as points,
               least(
                   (min(e.effective_on) filter (where e.effective_on <= %(last_on)s)
                    + make_interval(years => %(years)s::int, months => %(months)s::int, days => %(days)s::int))::date,
                   case when min(e.effective_on) <= %(last_on)s then %(ends_on)s::date end,
                   min(e.effective_on) filter (where e.effective_on > %(last_on)s)
               ) as due_on
        from programme.earning e
        where e.member_id = m.member_id and e.effective_on >= %(first_on)s and e.points > 0
    ) w
    where m.member_id = any(%(member_ids)s::bigint[]) and m.merged_into is null
    order by m.member_id
    for no key update of m
), due as (
    select s.*, (%(names)s::text[])[
        (select count(*) from unnest(%(froms)s::bigint[]) as l(points_from) where l.points_from <= s.points)
    ] as tier
    from standing s
), moved as (
    update programme.member m
    set qualifying_points = d.points,
        tier = d.tier,
        tier_since = case when d.tier is distinct from m.tier then %(now)s else m.tier_since end,
        tiers_due_on = d.due_on
    from due d
    where m.member_id = d.member_id
      and (m.qualifying_points, m.tier, m.tiers_due_on) is distinct from (d.points, d.tier, d.due_on)
    returning m.profile_id, d.old_tier, d.tier as new_tier, d.points as qualifying_points
)
select profile_id, %(ladder)s::text as ladder, old_tier, new_tier, qualifying_points
from moved
where old_tier is distinct from new_tier
