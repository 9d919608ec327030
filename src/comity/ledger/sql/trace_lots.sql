-- The story of lots: every line of each, in the order booked.
-- Takes lot ids. Returns TraceLine.
select
    l.lot_id, l.transfer_id, l.account_id, a.kind as account_kind, l.amount, t.kind, t.effective_on, t.booked_at,
    t.system, t.external_id, t.reason, t.reverses_transfer_id,
    (select r.reference from ledger.reference r where r.transfer_id = l.transfer_id) as reference
from ledger.v_lot_entry l
join ledger.transfer t using (transfer_id)
join ledger.account a using (account_id)
where l.lot_id = any(%(lot_ids)s::bigint[])
order by l.lot_id, l.transfer_id, l.amount
