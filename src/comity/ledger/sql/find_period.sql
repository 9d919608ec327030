-- Until when the books of a unit are closed.
-- Takes book and unit. Returns one day, or nothing.
select locked_through from ledger.v_period where book = %(book)s and unit = %(unit)s
