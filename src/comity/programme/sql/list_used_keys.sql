-- Which vouchers keys have been used for so far, to use or to end them.
-- Takes keys. Returns (key, voucher_id, whether it was to use it).
select used_key, voucher_id, true from programme.voucher where used_key = any(%(keys)s::text[])
union all
select ended_key, voucher_id, false from programme.voucher where ended_key = any(%(keys)s::text[])
