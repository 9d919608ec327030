-- What a member has earned of the kinds of points after the first, day by day.
-- Takes member_id. Returns (kind, day, points). Relies on earning_in_window.
select k.kind, e.effective_on, sum(k.points::bigint)::bigint as points
from programme.earning e
cross join lateral jsonb_each_text(e.further_points) as k(kind, points)
where e.member_id = %(member_id)s and e.further_points is not null
group by k.kind, e.effective_on
order by e.effective_on, k.kind
