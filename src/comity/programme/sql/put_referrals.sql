-- Bring referrals up to date.
-- Takes a JSON array of {referral_id, state, reason, advocate_points, friend_points, decided_by, matures_on, due_on,
-- counted, inputs}.
update programme.referral r
set state = w.state, reason = w.reason, advocate_points = w.advocate_points, friend_points = w.friend_points,
    decided_by = w.decided_by, matures_on = w.matures_on, due_on = w.due_on, counted = w.counted, inputs = w.inputs
from jsonb_to_recordset(%(referrals)s) as w(
    referral_id bigint, state text, reason text, advocate_points bigint, friend_points bigint, decided_by bigint,
    matures_on date, due_on date, counted jsonb, inputs jsonb)
where r.referral_id = w.referral_id
