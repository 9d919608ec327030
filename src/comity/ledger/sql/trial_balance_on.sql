-- Sum all entries up to a business day, as they were known up to a transfer, from the entries alone.
-- Takes day, known_through, the last transfer that was known (null: as known now). Returns a row per book, unit and kind of account, as trial_balance does, but
-- of accounts with such an entry alone: one that is opened later changes nothing.
select
    a.book, a.unit, a.kind,
    count(distinct a.account_id)::bigint as account_count,
    count(*)::bigint as entry_count,
    sum(e.amount)::bigint as balance
from ledger.v_entry e
join ledger.account a using (account_id)
where e.effective_on <= %(day)s and (%(known_through)s::bigint is null or e.transfer_id <= %(known_through)s::bigint)
group by a.book, a.unit, a.kind
order by a.book, a.unit, a.kind
