-- A page of an account's entries, newest first.
-- Takes account_id, before_transfer_id (null: from the newest) and limit_max. Returns StatementLine.
select
    transfer_id, amount, balance_after, kind, reason, effective_on, booked_at, system, external_id,
    reverses_transfer_id
from ledger.v_entry
where account_id = %(account_id)s
  and (%(before_transfer_id)s::bigint is null or transfer_id < %(before_transfer_id)s::bigint)
order by transfer_id desc
limit %(limit_max)s
