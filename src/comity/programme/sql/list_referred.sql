-- Of these profiles, the living members who have referred somebody or were referred, and so have something to decide.
-- Takes programme, profile_ids. Returns member_id. Relies on referral_by_advocate, referral_by_friend.
with living as (
    select distinct coalesce(m.merged_into, m.member_id) as member_id
    from programme.member m
    where m.programme = %(programme)s and m.profile_id = any(%(profile_ids)s::uuid[])
)
select l.member_id
from living l
where exists (
    select
    from programme.member k
    join programme.referral r on (r.profile_id, r.programme) = (k.profile_id, k.programme)
    where k.member_id = l.member_id or k.merged_into = l.member_id
) or exists (
    select
    from programme.member k
    join programme.referral r on (r.friend_profile_id, r.programme) = (k.profile_id, k.programme)
    where k.member_id = l.member_id or k.merged_into = l.member_id
)
order by l.member_id
