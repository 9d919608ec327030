-- The living members behind accounts, those they were merged into followed.
-- Takes account_ids. Returns Backing.
select m.account_id, coalesce(s.profile_id, m.profile_id) as profile_id, m.programme
from programme.member m
left join programme.member s on s.member_id = m.merged_into
where m.account_id = any(%(account_ids)s::bigint[])
