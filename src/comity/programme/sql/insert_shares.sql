-- Note what of purchases went to pools.
-- Takes a JSON array of its columns. Returns nothing.
insert into programme.pool_share (purchase_id, programme, lot_id, pool_member_id, points, transfer_id)
select w.purchase_id, w.programme, w.lot_id, w.pool_member_id, w.points, w.transfer_id
from jsonb_to_recordset(%(shares)s) as w(
    purchase_id bigint, programme text, lot_id bigint, pool_member_id bigint, points bigint, transfer_id bigint)
