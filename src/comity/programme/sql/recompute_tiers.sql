-- Recompute qualifying points and tier of members from what they earned from first_on to last_on.
-- Takes member ids, the days, the ladder (names and where each starts, low to high; both empty: no tiers) and the time.
-- Returns TierMove of those whose tier changed. Relies on earning_in_window.
with standing as (
    select m.member_id, m.tier as old_tier, coalesce((
        select sum(e.points) from programme.earning e
        where e.member_id = m.member_id and e.effective_on between %(first_on)s and %(last_on)s
    ), 0)::bigint as points
    from programme.member m
    where m.member_id = any(%(member_ids)s::bigint[]) and m.merged_into is null
    order by m.member_id
    for no key update
), due as (
    select s.*, (%(names)s::text[])[
        (select count(*) from unnest(%(froms)s::bigint[]) as l(points_from) where l.points_from <= s.points)
    ] as tier
    from standing s
), moved as (
    update programme.member m
    set qualifying_points = d.points,
        tier = d.tier,
        tier_since = case when d.tier is distinct from m.tier then %(now)s else m.tier_since end
    from due d
    where m.member_id = d.member_id and (m.qualifying_points, m.tier) is distinct from (d.points, d.tier)
    returning m.profile_id, d.old_tier, d.tier as new_tier, d.points as qualifying_points
)
select profile_id, old_tier, new_tier, qualifying_points from moved where old_tier is distinct from new_tier
