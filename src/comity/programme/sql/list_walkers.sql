-- Members with what decides their tiers: points by day, and (kind, day, points) of the kinds after the first. They are locked already, so nothing of it is being changed.
-- Takes member_ids. Returns Walker. Relies on earning_in_window.
select m.member_id, m.profile_id, m.tier, m.further_tiers, m.qualifying_points, m.tiers_due_on, m.ladders_key,
       e.days, e.points,
       case when p.further_kinds is not null then (
           select jsonb_agg(jsonb_build_array(d.kind, d.effective_on, d.points) order by d.effective_on)
           from (
               select k.kind, e.effective_on, sum(k.points::bigint)::bigint as points
               from programme.earning e
               cross join lateral jsonb_each_text(e.further_points) as k(kind, points)
               where e.member_id = m.member_id and e.further_points is not null
               group by k.kind, e.effective_on
           ) d
       ) end as further
from programme.member m
join programme.programme p on p.programme = m.programme
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
