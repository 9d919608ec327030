-- Those a member stands for, and the profile that stands for each of them now.
-- Takes member_id. Returns Alias.
select m.member_id, m.profile_id, m.account_id, m.merged_since, m.merged_via, p.merged_into as master_profile_id
from programme.member m
left join identity.v_profile p using (profile_id)
where m.merged_into = %(member_id)s
order by m.member_id
