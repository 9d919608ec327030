-- A page of an account's entries, newest first.
-- Takes account_id, before_transfer_id (null: from the newest) and limit_max. Returns StatementLine.
select
    e.transfer_id, e.amount, e.balance_after, t.kind, t.reason, t.effective_on, t.booked_at, t.system, t.external_id,
    t.reverses_transfer_id
from ledger.entry e
join ledger.transfer t using (transfer_id)
where e.account_id = %(account_id)s
  and (%(before_transfer_id)s::bigint is null or e.transfer_id < %(before_transfer_id)s::bigint)
order by e.transfer_id desc
limit %(limit_max)s
