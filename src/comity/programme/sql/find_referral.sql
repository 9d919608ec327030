-- Find a referral by its id or its key; the other is null.
-- Takes referral_id, idempotency_key. Returns Referral.
select
    referral_id, programme, profile_id, friend_profile_id, referred_at, state, reason, advocate_points, friend_points,
    decided_by, matures_on, inputs as decided_from, told_by, idempotency_key
from programme.referral
where referral_id = %(referral_id)s or idempotency_key = %(idempotency_key)s
