-- The referrals of members, as advocates or as friends, with the living members behind both.
-- Takes programme, member_ids. Returns StoredReferral. Relies on referral_by_advocate, referral_by_friend.
with mine as (
    select m.profile_id
    from programme.member m
    where m.programme = %(programme)s
      and (m.member_id = any(%(member_ids)s::bigint[]) or m.merged_into = any(%(member_ids)s::bigint[]))
), found as (
    select r.referral_id from programme.referral r join mine using (profile_id) where r.programme = %(programme)s
    union
    select r.referral_id
    from programme.referral r
    join mine on mine.profile_id = r.friend_profile_id
    where r.programme = %(programme)s
)
select
    r.referral_id, r.programme, r.profile_id, r.friend_profile_id, r.referred_at, r.state, r.reason, r.advocate_points,
    r.friend_points, r.decided_by, r.matures_on, r.due_on, r.counted, r.inputs,
    coalesce(a.merged_into, a.member_id) as advocate_member_id, coalesce(f.merged_into, f.member_id) as friend_member_id
from found
join programme.referral r using (referral_id)
join programme.member a on (a.profile_id, a.programme) = (r.profile_id, r.programme)
join programme.member f on (f.profile_id, f.programme) = (r.friend_profile_id, r.programme)
order by r.referral_id
