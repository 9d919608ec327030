-- Both legs of transfers, what they were and how much of them has been reversed.
-- Takes transfer ids. Returns TransferLegs of those that exist.
select
    t.transfer_id, t.debit_account_id, t.credit_account_id, t.amount, t.kind, t.reverses_transfer_id,
    d.kind as debit_kind, c.kind as credit_kind, t.money_debit_account_id, t.money_credit_account_id, t.money_amount,
    coalesce(b.wanted, 0)::bigint as reversed_amount, greatest(b.number, n.number, 0) as reversal_count,
    h.account_id as held_account_id
from ledger.transfer t
join ledger.account d on d.account_id = t.debit_account_id
join ledger.account c on c.account_id = t.credit_account_id
left join ledger.hold_end e
    on coalesce(e.capture_transfer_id, e.release_transfer_id) = t.transfer_id and e.capture_transfer_id is not null
left join ledger.v_hold h on h.hold_id = e.hold_id
left join lateral (
    select sum(r.wanted) as wanted, max(r.reversal_number) as number
    from ledger.take_back r
    where r.transfer_id = t.transfer_id
) b on true
left join lateral (
    select max(r.reversal_number) as number from ledger.transfer r where r.reverses_transfer_id = t.transfer_id
) n on true
where t.transfer_id = any(%(transfer_ids)s::bigint[])
