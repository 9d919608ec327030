-- Note what purchases earned, once each.
-- Takes programme, a JSON array of {purchase_id, member_id, points, outcome, effective_on, transfer_id} and earned_at.
-- Returns the purchase ids that are new.
insert into programme.earning (programme, purchase_id, member_id, points, outcome, effective_on, transfer_id, earned_at)
select %(programme)s, w.purchase_id, w.member_id, w.points, w.outcome, w.effective_on, w.transfer_id, %(earned_at)s
from jsonb_to_recordset(%(earnings)s) as w(
    purchase_id bigint, member_id bigint, points bigint, outcome text, effective_on date, transfer_id bigint)
on conflict (purchase_id, programme) do nothing
returning purchase_id
