-- What has been drawn on the budgets of a programme.
-- Takes programme. Returns (counter, period, amount).
select counter, period, amount from programme.budget where programme = %(programme)s
