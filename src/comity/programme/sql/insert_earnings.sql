-- Note what purchases earned, once each, with the lots that made.
-- Takes programme, a JSON array of {purchase_id, member_id, points, further_points, outcome, effective_on, occurred_at,
-- counted, drawn, transfer_id, lots} and earned_at. Returns the purchase ids that are new.
with told as (
    select *
    from jsonb_to_recordset(%(earnings)s) as w(
        purchase_id bigint, member_id bigint, points bigint, further_points jsonb, outcome text, effective_on date,
        occurred_at timestamptz, counted jsonb, drawn jsonb, transfer_id bigint, lots jsonb)
), inserted as (
    insert into programme.earning (
        programme, purchase_id, member_id, points, further_points, outcome, effective_on, occurred_at, counted, drawn,
        transfer_id, earned_at)
    select %(programme)s, w.purchase_id, w.member_id, w.points, w.further_points, w.outcome, w.effective_on,
           w.occurred_at, w.counted, w.drawn, w.transfer_id, %(earned_at)s
    from told w
    on conflict (purchase_id, programme) do nothing
    returning purchase_id
), made as (
    insert into programme.earned_lot (
        purchase_id, programme, lot_number, transfer_id, currency, points, available_from, expires_on, awaits,
        waits_until)
    select w.purchase_id, %(programme)s, l.lot_number, l.transfer_id, l.currency, l.points, l.available_from,
           l.expires_on, l.awaits, l.waits_until
    from inserted i
    join told w using (purchase_id)
    cross join lateral jsonb_to_recordset(w.lots) as l(
        lot_number int, transfer_id bigint, currency text, points bigint, available_from date, expires_on date,
        awaits text, waits_until date)
)
select purchase_id from inserted
