-- Take from what caps have counted; the members are locked.
-- Takes a JSON array of {member_id, counter, period, amount}. Returns nothing.
update programme.counter c set amount = greatest(0, c.amount - w.amount)
from (
    select member_id, counter, period, sum(amount) as amount
    from jsonb_to_recordset(%(counted)s) as e(member_id bigint, counter text, period text, amount bigint)
    group by member_id, counter, period
) w
where (c.member_id, c.counter, c.period) = (w.member_id, w.counter, w.period)
