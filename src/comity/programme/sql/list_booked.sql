-- What purchases earned, lot by lot, with the day of the books each lot counts on.
-- Takes purchase_ids. Returns BookedEarning, a row for each lot, or one without where there is none.
select
    e.purchase_id, e.programme, e.points, e.further_points, e.outcome, e.effective_on, l.currency,
    l.points as lot_points, l.kept,
    b.effective_on as booked_on, l.available_from, l.expires_on
from programme.earning e
left join programme.earned_lot l using (purchase_id, programme)
left join ledger.v_lot b on b.lot_id = l.transfer_id
where e.purchase_id = any(%(purchase_ids)s::bigint[])
order by e.purchase_id, e.programme, l.lot_number
