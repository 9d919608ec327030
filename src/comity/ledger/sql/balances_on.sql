-- Balances on a business day, as they were known up to a transfer.
-- Takes account ids, day, known_through, the last transfer that was known (null: as known now). Returns (account_id, balance) of the accounts that exist.
-- Entries of holders are found by index, those of other accounts by going through all.
select a.account_id, coalesce(h.balance, 0) + coalesce(o.balance, 0)
from ledger.account a
left join lateral (
    select sum(e.amount)::bigint as balance
    from ledger.v_entry e
    where e.account_id = a.account_id and e.balance_after is not null and e.effective_on <= %(day)s
      and (%(known_through)s::bigint is null or e.transfer_id <= %(known_through)s::bigint)
) h on a.balance is not null
left join lateral (
    select sum(e.amount)::bigint as balance
    from ledger.v_entry e
    where e.account_id = a.account_id and a.balance is null and e.effective_on <= %(day)s
      and (%(known_through)s::bigint is null or e.transfer_id <= %(known_through)s::bigint)
) o on a.balance is null
where a.account_id = any(%(account_ids)s::bigint[])
