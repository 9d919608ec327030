-- Close (or open) the books of a unit.
-- Takes book, unit, locked_through, locked_at, locked_by, confirmed_by, reason. Returns nothing.
insert into ledger.period_lock (book, unit, locked_through, locked_at, locked_by, confirmed_by, reason)
values (%(book)s, %(unit)s, %(locked_through)s, %(locked_at)s, %(locked_by)s, %(confirmed_by)s, %(reason)s)
