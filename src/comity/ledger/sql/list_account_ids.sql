-- Look accounts up by name.
-- Takes a JSON array of {book, unit, kind, owner}. Returns their ids, in the order asked.
select a.account_id
from rows from (jsonb_to_recordset(%(accounts)s) as (book text, unit text, kind text, owner text)) with ordinality
    as w(book, unit, kind, owner, place)
join ledger.account a on (a.owner, a.unit, a.kind, a.book) = (w.owner, w.unit, w.kind, w.book)
order by w.place
