-- Keep others from drawing on the budgets of a programme until the transaction ends.
-- Takes programme. Returns it.
select programme from programme.programme where programme = %(programme)s for no key update
