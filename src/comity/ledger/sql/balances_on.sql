-- Balances on a business day, as they were known at a time.
-- Takes account ids, day, known_at (null: as known now). Returns (account_id, balance) of the accounts that exist.
-- Entries of holders are found by index, those of other accounts by going through all.
select a.account_id, coalesce(h.balance, 0) + coalesce(o.balance, 0)
from ledger.account a
left join lateral (
    select sum(e.amount)::bigint as balance
    from ledger.v_entry e
    where e.account_id = a.account_id and e.balance_after is not null and e.effective_on <= %(day)s
      and (%(known_at)s::timestamptz is null or e.booked_at <= %(known_at)s::timestamptz)
) h on a.balance is not null
left join lateral (
    select sum(e.amount)::bigint as balance
    from ledger.v_entry e
    where e.account_id = a.account_id and a.balance is null and e.effective_on <= %(day)s
      and (%(known_at)s::timestamptz is null or e.booked_at <= %(known_at)s::timestamptz)
) o on a.balance is null
where a.account_id = any(%(account_ids)s::bigint[])
