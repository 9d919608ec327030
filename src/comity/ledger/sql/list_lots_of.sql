-- The lots that a transfer made or took from, gave back or moved; of a lot that a reversal made, those of what it reversed.
-- Takes transfer_id. Returns lot ids. Each transfer is looked up by itself (`offset 0`): a join would read the whole view.
with recursive lot as (
    select v.lot_id from ledger.v_lot_entry v where v.transfer_id = %(transfer_id)s
    union
    select e.lot_id
    from lot l
    join ledger.transfer t on t.transfer_id = l.lot_id
    cross join lateral (
        select v.lot_id from ledger.v_lot_entry v where v.transfer_id = t.reverses_transfer_id offset 0
    ) e
)
select lot_id from lot order by lot_id
