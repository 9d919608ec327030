-- Whose the purchases are that earned.
-- Takes programme and purchase_ids. Returns (purchase_id, member_id).
select purchase_id, member_id
from programme.earning
where programme = %(programme)s and purchase_id = any(%(purchase_ids)s::bigint[])
