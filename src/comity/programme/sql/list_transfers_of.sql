-- The transfers that purchases made, lot by lot.
-- Takes programme and purchase_ids. Returns transfer ids.
select transfer_id
from programme.earned_lot
where programme = %(programme)s and purchase_id = any(%(purchase_ids)s::bigint[])
order by transfer_id
