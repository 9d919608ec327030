-- The first day that no lock covers in any of a programme's books.
-- Takes units. Returns one day, null where all days are open.
select max(locked_through) + 1 from ledger.v_period where book = 'points' and unit = any(%(units)s::text[])
