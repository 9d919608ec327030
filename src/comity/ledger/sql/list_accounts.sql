-- A page of all accounts, with what each holds.
-- Takes after_account_id and limit_max. Returns (account_id, book, unit, kind, owner, balance).
select account_id, book, unit, kind, owner, balance
from ledger.account
where account_id > %(after_account_id)s
order by account_id
limit %(limit_max)s
