-- Note vouchers; each belongs to the membership of who asked, or of who stands for them where that has no account.
-- Takes a JSON array of their columns and the time. Returns (idempotency_key, voucher_id).
insert into programme.voucher (
    code, idempotency_key, programme, reward, title, asked_profile_id, member_id, points, kind, transfer_id, reference, counted,
    minor, currency, issued_at, expires_on, state)
select w.code, w.idempotency_key, w.programme, w.reward, w.title, w.asked_profile_id,
       case when o.account_id is null then w.member_id else o.member_id end, w.points, w.kind, w.transfer_id, w.reference,
       w.counted, w.minor, w.currency, %(issued_at)s, w.expires_on, 'issued'
from jsonb_to_recordset(%(vouchers)s) as w(
    code text, idempotency_key text, programme text, reward text, title text, asked_profile_id uuid, member_id bigint,
    points bigint, kind text, transfer_id bigint, reference text, counted jsonb, minor bigint, currency text,
    expires_on date)
left join programme.member o on (o.profile_id, o.programme) = (w.asked_profile_id, w.programme)
returning idempotency_key, voucher_id
