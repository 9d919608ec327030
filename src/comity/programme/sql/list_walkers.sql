-- Members with what decides their tiers: points by day. They are locked already, so nothing of it is being changed.
-- Takes member_ids. Returns Walker. Relies on earning_in_window.
select m.member_id, m.profile_id, m.tier, m.further_tiers, m.qualifying_points, m.tiers_due_on, m.ladders_key,
       e.days, e.points
from programme.member m
cross join lateral (
    select array_agg(d.effective_on order by d.effective_on) as days,
           array_agg(d.points order by d.effective_on) as points
    from (
        select e.effective_on, sum(e.points)::bigint as points
        from programme.earning e
        where e.member_id = m.member_id and e.points > 0
        group by e.effective_on
    ) d
) e
where m.member_id = any(%(member_ids)s::bigint[]) and m.merged_into is null
order by m.member_id
