-- Add to what has been drawn on the budgets of a programme, or (below zero) take from it; they are locked.
-- Takes programme and a JSON array of {counter, period, amount}, each counter once. Returns (counter, period, amount).
with wanted as (
    select counter, period, amount from jsonb_to_recordset(%(drawn)s) as w(counter text, period text, amount bigint)
), changed as (
    update programme.budget b set amount = b.amount + w.amount
    from wanted w
    where b.programme = %(programme)s and b.counter = w.counter and b.period = w.period
    returning b.counter, b.period, b.amount
), added as (
    insert into programme.budget (programme, counter, period, amount)
    select %(programme)s, w.counter, w.period, w.amount
    from wanted w
    where not exists (
        select from programme.budget b
        where b.programme = %(programme)s and b.counter = w.counter and b.period = w.period
    )
    returning counter, period, amount
)
select counter, period, amount from changed union all select counter, period, amount from added
