-- A page of an account's entries, newest first.
-- Takes account_id, before_transfer_id (null: from the newest) and limit_max. Returns StatementLine.
-- A holder's are found by index, those of other accounts by going through transfers from the newest.
with asked as materialized (
    select exists(
        select from ledger.account a where a.account_id = %(account_id)s and a.balance is not null
    ) as is_holder
)
select
    e.transfer_id, e.amount, e.balance_after, e.kind, e.reason, e.effective_on, e.booked_at, e.system, e.external_id,
    e.reverses_transfer_id,
    (select r.reference from ledger.reference r where r.transfer_id = e.transfer_id) as reference
from (
    (
        select *
        from ledger.v_entry
        where account_id = %(account_id)s and balance_after is not null and (select is_holder from asked)
          and (%(before_transfer_id)s::bigint is null or transfer_id < %(before_transfer_id)s::bigint)
        order by transfer_id desc
        limit %(limit_max)s
    )
    union all
    (
        select *
        from ledger.v_entry
        where account_id = %(account_id)s and not (select is_holder from asked)
          and (%(before_transfer_id)s::bigint is null or transfer_id < %(before_transfer_id)s::bigint)
        order by transfer_id desc
        limit %(limit_max)s
    )
) e
order by e.transfer_id desc
