-- How many pieces of its rewards the members of a programme have.
-- Takes programme. Returns (reward, issued_count).
select reward, issued_count from programme.reward_stock where programme = %(programme)s
