-- Open holds of accounts, where they are now, and how often transfers have named them.
-- Takes account ids. Returns HoldState, in the order they were made. Relies on transfer_credits.
select
    h.hold_id, h.account_id, h.reserved_account_id, h.first_account_id, h.amount, h.deadline_at,
    (select count(*) from ledger.transfer r where r.reverses_transfer_id = h.hold_id)::int as change_count
from (
    select distinct coalesce(t.reverses_transfer_id, t.transfer_id) as hold_id
    from ledger.account a
    join ledger.account r
        on (r.owner, r.unit, r.kind, r.book) = ('account:' || a.account_id, a.unit, 'reserved', a.book) and r.balance > 0
    join ledger.transfer t on t.credit_account_id = r.account_id and t.credit_balance_after is not null
    where a.account_id = any(%(account_ids)s::bigint[])
) q
join ledger.open_hold o using (hold_id)
join ledger.v_hold h using (hold_id)
where h.account_id = any(%(account_ids)s::bigint[])
order by h.hold_id
