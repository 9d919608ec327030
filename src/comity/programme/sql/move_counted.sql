-- What caps have counted of members counts for those they were merged into, too; they keep their own for later.
-- Takes a JSON array of {loser_member_id, survivor_member_id}.
insert into programme.counter as c (member_id, counter, period, amount)
select p.survivor_member_id, k.counter, k.period, sum(k.amount)
from jsonb_to_recordset(%(pairs)s) as p(loser_member_id bigint, survivor_member_id bigint)
join programme.counter k on k.member_id = p.loser_member_id
group by p.survivor_member_id, k.counter, k.period
on conflict (member_id, counter, period) do update set amount = c.amount + excluded.amount
