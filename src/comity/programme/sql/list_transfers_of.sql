-- The transfers that purchases made, lot by lot.
-- Takes programme and purchase_ids. Returns (transfer_id, currency).
select transfer_id, currency
from programme.earned_lot
where programme = %(programme)s and purchase_id = any(%(purchase_ids)s::bigint[])
order by transfer_id
