-- What a purchase earned.
-- Takes purchase_id. Returns Earned per programme.
select e.purchase_id, e.programme, m.profile_id, e.points, e.further_points, e.outcome
from programme.earning e
join programme.member m using (member_id)
where e.purchase_id = %(purchase_id)s
order by e.programme
