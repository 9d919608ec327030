-- Note that vouchers are cancelled or returned; they are locked.
-- Takes a JSON array of {voucher_id, key, state} and the time. Returns nothing.
update programme.voucher v set state = w.state, ended_at = %(now)s, ended_key = w.key
from jsonb_to_recordset(%(ended)s) as w(voucher_id bigint, key text, state text)
where v.voucher_id = w.voucher_id
