-- Whose purchases earned in a programme.
-- Takes programme and purchase_ids. Returns (purchase_id, profile_id) of those that have earned, if only nothing.
select e.purchase_id, m.profile_id
from programme.earning e
join programme.member m using (member_id)
where e.programme = %(programme)s and e.purchase_id = any(%(purchase_ids)s::bigint[])
order by e.purchase_id
