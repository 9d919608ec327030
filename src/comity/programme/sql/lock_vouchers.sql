-- Hold vouchers in the order of their ids.
-- Takes voucher_ids. Returns HeldVoucher.
select voucher_id, code, programme, reward, points, kind, transfer_id, counted, expires_on, state, used_at, used_key,
       ended_at, ended_key
from programme.voucher
where voucher_id = any(%(voucher_ids)s::bigint[])
order by voucher_id
for no key update
