-- The first day of a programme's books that no lock covers.
-- Takes programme. Returns one day, or nothing where all days are open.
select locked_through + 1 from ledger.v_period where book = 'points' and unit = %(programme)s
