-- Bring the lots of purchases up to date.
-- Takes programme and a JSON array of BookedLot.
insert into programme.earned_lot (
    purchase_id, programme, lot_number, transfer_id, currency, points, kept, take_count, term_count,
    available_from, expires_on, awaits, waits_until)
select w.purchase_id, %(programme)s, w.lot_number, w.transfer_id, w.currency, w.points, w.kept, w.take_count,
       w.term_count, w.available_from, w.expires_on, w.awaits, w.waits_until
from jsonb_to_recordset(%(lots)s) as w(
    purchase_id bigint, lot_number int, transfer_id bigint, currency text, points bigint, kept bigint, take_count int,
    term_count int, available_from date, expires_on date, awaits text, waits_until date)
order by w.purchase_id, w.lot_number
on conflict (purchase_id, programme, lot_number) do update
set points = excluded.points, kept = excluded.kept, take_count = excluded.take_count, term_count = excluded.term_count,
    available_from = excluded.available_from, expires_on = excluded.expires_on, awaits = excluded.awaits,
    waits_until = excluded.waits_until
