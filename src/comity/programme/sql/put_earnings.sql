-- Bring what purchases have earned up to date.
-- Takes programme, a JSON array of {purchase_id, member_id, points, further_points, outcome, effective_on, occurred_at,
-- counted, drawn, transfer_id} and earned_at.
insert into programme.earning as e (
    programme, purchase_id, member_id, points, further_points, outcome, effective_on, occurred_at, counted, drawn,
    transfer_id, earned_at)
select %(programme)s, w.purchase_id, w.member_id, w.points, w.further_points, w.outcome, w.effective_on,
       w.occurred_at, w.counted, w.drawn, w.transfer_id, %(earned_at)s
from jsonb_to_recordset(%(earnings)s) as w(
    purchase_id bigint, member_id bigint, points bigint, further_points jsonb, outcome text, effective_on date,
    occurred_at timestamptz, counted jsonb, drawn jsonb, transfer_id bigint)
order by w.purchase_id
on conflict (purchase_id, programme) do update
set points = excluded.points, further_points = excluded.further_points, outcome = excluded.outcome, effective_on = excluded.effective_on,
    occurred_at = excluded.occurred_at, counted = excluded.counted,
    drawn = excluded.drawn,
    transfer_id = coalesce(e.transfer_id, excluded.transfer_id)
