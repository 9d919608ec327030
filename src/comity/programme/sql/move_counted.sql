-- What caps have counted of members goes to those they were merged into.
-- Takes a JSON array of {loser_member_id, survivor_member_id}.
with pair as (
    select * from jsonb_to_recordset(%(pairs)s) as w(loser_member_id bigint, survivor_member_id bigint)
), gone as (
    delete from programme.counter c using pair p where c.member_id = p.loser_member_id
    returning p.survivor_member_id as member_id, c.counter, c.period, c.amount
)
insert into programme.counter as c (member_id, counter, period, amount)
select g.member_id, g.counter, g.period, sum(g.amount) from gone g group by g.member_id, g.counter, g.period
on conflict (member_id, counter, period) do update set amount = c.amount + excluded.amount
