-- Open accounts that are not open yet; holders start with a stored balance of 0.
-- Takes a JSON array of {book, unit, kind, owner} and opened_at. Returns nothing.
insert into ledger.account (book, unit, kind, owner, opened_at, balance)
select w.book, w.unit, w.kind, w.owner, %(opened_at)s,
       case when w.kind in ('member', 'pool', 'reserved', 'suspense') then 0 end
from jsonb_to_recordset(%(accounts)s) as w(book text, unit text, kind text, owner text)
order by w.owner, w.unit, w.kind, w.book
on conflict on constraint account_once do nothing
