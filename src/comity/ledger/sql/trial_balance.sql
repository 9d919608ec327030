-- Sum all entries, from the entries alone.
-- Returns a row per book, unit and kind of account; the balances of a (book, unit) sum to zero.
select
    a.book, a.unit, a.kind,
    count(*)::bigint as account_count,
    coalesce(sum(e.entry_count), 0)::bigint as entry_count,
    coalesce(sum(e.amount), 0)::bigint as balance
from ledger.account a
left join (
    select account_id, count(*) as entry_count, sum(amount) as amount from ledger.v_entry group by account_id
) e using (account_id)
group by a.book, a.unit, a.kind
order by a.book, a.unit, a.kind
