-- What referrals gave, first gift first.
-- Takes referral_ids. Returns Gift.
select referral_id, side, gift_number, transfer_id, points, kept, take_count, kind
from programme.referral_gift
where referral_id = any(%(referral_ids)s::bigint[])
order by referral_id, side, gift_number
