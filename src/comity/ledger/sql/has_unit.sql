-- Whether there are accounts of a unit.
-- Takes book and unit. Returns one boolean.
select exists (select from ledger.account where book = %(book)s and unit = %(unit)s)
