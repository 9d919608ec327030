-- Vouchers by the key they were asked for with, or by their codes, and who has them now.
-- Takes keys and codes. Returns Voucher, idempotency_key, asked_profile_id and reference.
select v.voucher_id, v.code, v.programme, v.reward, v.title, h.profile_id, v.points, v.kind, v.minor, v.currency, v.issued_at,
       v.expires_on, v.state, v.used_at, v.ended_at,
       v.idempotency_key, v.asked_profile_id, v.reference
from programme.voucher v
join programme.member o using (member_id)
join programme.member h on h.member_id = coalesce(o.merged_into, o.member_id)
where v.idempotency_key = any(%(keys)s::text[]) or v.code = any(%(codes)s::text[])
