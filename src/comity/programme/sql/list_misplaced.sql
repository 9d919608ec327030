-- Members who have earned for purchases that belong to others now, and the profiles of those.
-- Takes programme and the profile_ids that records have left. Returns (member_id, member's profile_id, profile_id).
select distinct e.member_id, h.profile_id as holder_profile_id, p.profile_id
from programme.member s
join programme.member h on h.member_id = coalesce(s.merged_into, s.member_id)
join programme.earning e on e.member_id = h.member_id
join activity.v_purchase p on p.purchase_id = e.purchase_id
left join programme.member t on (t.profile_id, t.programme) = (p.profile_id, s.programme)
where s.profile_id = any(%(profile_ids)s::uuid[]) and s.programme = %(programme)s
  and coalesce(t.merged_into, t.member_id) is distinct from e.member_id
order by e.member_id, p.profile_id
