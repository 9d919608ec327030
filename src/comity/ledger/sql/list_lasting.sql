-- What an account has had on a day and on every day since: its lowest balance, and that of each open lot that was good
-- on that day.
-- Takes account_id and day. Returns (lot_id, amount) in the order of spending, after them (null, lowest balance).
with lot as (
    select o.lot_id, o.expires_on, q.amount
    from ledger.holding o
    cross join lateral (
        select min(r.amount)::bigint as amount
        from (
            select sum(sum(l.amount)) over (order by l.on_day) as amount
            from (
                select greatest(t.effective_on, %(day)s::date) as on_day, e.amount
                from ledger.v_lot_entry e
                cross join lateral (select m.effective_on from ledger.transfer m where m.transfer_id = e.transfer_id) t
                where e.lot_id = o.lot_id and e.account_id = o.account_id
                union all
                select %(day)s::date, 0
            ) l
            group by l.on_day
        ) r
    ) q
    where o.account_id = %(account_id)s and o.rest > 0
      and (o.expires_on is null or o.expires_on > %(day)s::date)
      and (o.available_from is null or o.available_from <= %(day)s::date)
), balance as (
    select min(r.amount)::bigint as amount
    from (
        select sum(sum(l.amount)) over (order by l.on_day) as amount
        from (
            select greatest(e.effective_on, %(day)s::date) as on_day, e.amount
            from ledger.v_entry e
            where e.account_id = %(account_id)s and e.balance_after is not null
            union all
            select %(day)s::date, 0
        ) l
        group by l.on_day
    ) r
)
select w.lot_id, w.amount
from (
    select 1 as part, lot_id, expires_on, amount from lot where amount > 0
    union all
    select 2, null, null, amount from balance
) w
order by w.part, w.expires_on nulls last, w.lot_id
