-- The vouchers of a member, those of whoever they stand for included, newest first.
-- Takes profile_id, programme and limit_max. Returns Voucher.
select v.voucher_id, v.code, v.programme, v.reward, v.title, h.profile_id, v.points, v.kind, v.minor, v.currency, v.issued_at,
       v.expires_on, v.state, v.used_at, v.ended_at
from programme.member a
join programme.member h on h.member_id = coalesce(a.merged_into, a.member_id)
join programme.member o on o.member_id = h.member_id or o.merged_into = h.member_id
join programme.voucher v on v.member_id = o.member_id
where a.profile_id = %(profile_id)s and a.programme = %(programme)s
order by v.voucher_id desc
limit %(limit_max)s
