-- Friends of referrals that a day decides which has come.
-- Takes programme, today, limit_max. Returns friend_profile_id. Relies on referral_due.
select r.friend_profile_id
from programme.referral r
where r.programme = %(programme)s and r.due_on <= %(today)s
order by r.due_on, r.referral_id
limit %(limit_max)s
