-- The lots that purchases made.
-- Takes programme and purchase_ids. Returns BookedLot, in the order they were made.
select
    purchase_id, lot_number, transfer_id, currency, points, kept, take_count, term_count, available_from, expires_on, awaits,
    waits_until
from programme.earned_lot
where programme = %(programme)s and purchase_id = any(%(purchase_ids)s::bigint[])
order by purchase_id, lot_number
