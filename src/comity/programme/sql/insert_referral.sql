-- Note a referral that waits to be decided.
-- Takes the fields of ReferralWish and told_at. Returns its id; no row where the key is taken.
insert into programme.referral (
    idempotency_key, programme, profile_id, friend_profile_id, referred_at, told_by, told_at, state, reason,
    advocate_points, friend_points, counted, inputs)
values (
    %(idempotency_key)s, %(programme)s, %(profile_id)s, %(friend_profile_id)s, %(referred_at)s, %(told_by)s,
    %(told_at)s, 'waiting', 'no_purchase', 0, 0, '[]', '{}')
on conflict (idempotency_key) do nothing
returning referral_id
