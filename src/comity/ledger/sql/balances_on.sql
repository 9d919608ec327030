-- Balances on a business day, as they were known at a time.
-- Takes account ids, day, known_at (null: as known now). Returns (account_id, balance) of the accounts that exist.
select a.account_id, coalesce(sum(e.amount) filter (
    where e.effective_on <= %(day)s and (%(known_at)s::timestamptz is null or e.booked_at <= %(known_at)s::timestamptz)
), 0)::bigint
from ledger.account a
left join ledger.v_entry e using (account_id)
where a.account_id = any(%(account_ids)s::bigint[])
group by a.account_id
