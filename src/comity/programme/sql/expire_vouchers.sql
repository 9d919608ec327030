-- Let the next vouchers expire whose last day is over.
-- Takes programme, today, the time and limit_max. Returns (voucher_id, reward, profile_id of who has it).
with due as (
    select voucher_id
    from programme.voucher
    where programme = %(programme)s and state = 'issued' and expires_on <= %(today)s
    order by voucher_id
    limit %(limit_max)s
    for no key update skip locked
)
update programme.voucher v set state = 'expired', ended_at = %(now)s
from due
join programme.voucher d using (voucher_id)
join programme.member o on o.member_id = d.member_id
join programme.member h on h.member_id = coalesce(o.merged_into, o.member_id)
where v.voucher_id = due.voucher_id
returning v.voucher_id, v.reward, h.profile_id
