-- Sum all entries up to a business day, as they were known at a time, from the entries alone.
-- Takes day, known_at (null: as known now). Returns a row per book, unit and kind of account, as trial_balance does.
select
    a.book, a.unit, a.kind,
    count(distinct a.account_id)::bigint as account_count,
    count(e.amount)::bigint as entry_count,
    coalesce(sum(e.amount), 0)::bigint as balance
from ledger.account a
left join (
    select account_id, amount
    from ledger.v_entry
    where effective_on <= %(day)s and (%(known_at)s::timestamptz is null or booked_at <= %(known_at)s::timestamptz)
) e using (account_id)
group by a.book, a.unit, a.kind
order by a.book, a.unit, a.kind
