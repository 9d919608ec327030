-- What counts for a member's tier, day by day.
-- Takes member_id. Returns Qualifying. Relies on earning_in_window.
select effective_on as earned_on, sum(points)::bigint as points
from programme.earning
where member_id = %(member_id)s
group by effective_on
order by effective_on
