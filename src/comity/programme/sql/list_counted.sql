-- What caps have counted of members.
-- Takes member_ids. Returns Counted.
select member_id, counter, period, amount from programme.counter where member_id = any(%(member_ids)s::bigint[])
