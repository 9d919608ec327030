-- Add to what caps have counted; the members are locked.
-- Takes a JSON array of {member_id, counter, period, amount}.
insert into programme.counter as c (member_id, counter, period, amount)
select w.member_id, w.counter, w.period, sum(w.amount)
from jsonb_to_recordset(%(counted)s) as w(member_id bigint, counter text, period text, amount bigint)
group by w.member_id, w.counter, w.period
on conflict (member_id, counter, period) do update set amount = c.amount + excluded.amount
