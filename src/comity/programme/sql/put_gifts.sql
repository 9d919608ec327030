-- Bring gifts of referrals up to date.
-- Takes a JSON array of {referral_id, side, gift_number, transfer_id, points, kept, take_count, kind}.
insert into programme.referral_gift (referral_id, side, gift_number, transfer_id, points, kept, take_count, kind)
select w.referral_id, w.side, w.gift_number, w.transfer_id, w.points, w.kept, w.take_count, w.kind
from jsonb_to_recordset(%(gifts)s) as w(
    referral_id bigint, side text, gift_number int, transfer_id bigint, points bigint, kept bigint, take_count int,
    kind text)
on conflict (referral_id, side, gift_number) do update
set points = excluded.points, kept = excluded.kept, take_count = excluded.take_count
