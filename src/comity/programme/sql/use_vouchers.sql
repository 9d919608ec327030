-- Note that vouchers are used; they are locked.
-- Takes a JSON array of {voucher_id, key} and the time. Returns nothing.
update programme.voucher v set state = 'used', used_at = %(now)s, used_key = w.key
from jsonb_to_recordset(%(used)s) as w(voucher_id bigint, key text)
where v.voucher_id = w.voucher_id
