-- A page of a member's referrals, as advocate or as friend, newest first.
-- Takes programme, member_id, before_referral_id (null: from the newest) and limit_max. Returns Referral. Relies on
-- referral_by_advocate, referral_by_friend.
with mine as (
    select m.profile_id
    from programme.member m
    where m.programme = %(programme)s and (m.member_id = %(member_id)s or m.merged_into = %(member_id)s)
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
    r.friend_points, r.decided_by, r.matures_on, r.inputs as decided_from, r.told_by, r.idempotency_key
from found
join programme.referral r using (referral_id)
where %(before_referral_id)s::bigint is null or r.referral_id < %(before_referral_id)s
order by r.referral_id desc
limit %(limit_max)s
