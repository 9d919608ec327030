-- Let caps count what living members have by now: their purchases, and the vouchers of whoever they stand for. Caps on
-- transfers stay as they are.
-- Takes member_ids.
with told as (
    select e.member_id, k.counted
    from programme.earning e
    cross join lateral jsonb_array_elements(e.counted) as k(counted)
    where e.member_id = any(%(member_ids)s::bigint[])
    union all
    select coalesce(m.merged_into, m.member_id), k.counted
    from programme.member m
    join programme.voucher v on v.member_id = m.member_id
    cross join lateral jsonb_array_elements(v.counted) as k(counted)
    where (m.member_id = any(%(member_ids)s::bigint[]) or m.merged_into = any(%(member_ids)s::bigint[]))
      and v.state in ('issued', 'used', 'expired')
), wanted as (
    select t.member_id, t.counted ->> 0 as counter, t.counted ->> 1 as period, sum((t.counted ->> 2)::bigint) as amount
    from told t
    group by 1, 2, 3
), gone as (
    delete from programme.counter c
    where c.member_id = any(%(member_ids)s::bigint[]) and c.counter not like 'transfer.%%'
      and not exists (
          select from wanted w where (w.member_id, w.counter, w.period) = (c.member_id, c.counter, c.period)
      )
)
insert into programme.counter as c (member_id, counter, period, amount)
select w.member_id, w.counter, w.period, w.amount from wanted w
on conflict (member_id, counter, period) do update set amount = excluded.amount where c.amount <> excluded.amount
