-- The lots that a transfer made or took from, gave back or moved.
-- Takes transfer_id. Returns lot ids.
select distinct lot_id from ledger.v_lot_entry where transfer_id = %(transfer_id)s order by lot_id
