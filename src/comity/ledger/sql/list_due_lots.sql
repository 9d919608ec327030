-- What expires of accounts, lot by lot, and how often the lot has expired there already (units may come back).
-- Takes account ids and today. Returns DueLot. It counts on the day the lot expires, or on the day its units came back
-- when that was later.
select
    h.account_id, h.lot_id, h.rest,
    greatest(h.expires_on, (
        select max(t.effective_on)
        from ledger.lot_entry e
        join ledger.transfer t using (transfer_id)
        where e.lot_id = h.lot_id and e.account_id = h.account_id
    )) as effective_on,
    (
        select count(*)
        from ledger.lot_entry e
        join ledger.transfer t using (transfer_id)
        where e.lot_id = h.lot_id and e.account_id = h.account_id and t.kind = 'expire'
    ) as expired_count
from ledger.holding h
where h.account_id = any(%(account_ids)s::bigint[]) and h.expires_on <= %(today)s and h.rest > 0
order by h.account_id, h.expires_on, h.lot_id
