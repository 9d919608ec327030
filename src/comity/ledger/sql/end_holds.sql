-- Note how holds ended; a hold that ended before breaks hold_ends_once.
-- Takes a JSON array of {hold_id, outcome, idempotency_key, captured, released, capture_transfer_id,
-- release_transfer_id} and ended_at. Returns nothing.
with ended as (
    insert into ledger.hold_end (
        hold_id, outcome, idempotency_key, captured, released, capture_transfer_id, release_transfer_id, ended_at)
    select w.hold_id, w.outcome, w.idempotency_key, w.captured, w.released, w.capture_transfer_id,
           w.release_transfer_id, %(ended_at)s
    from jsonb_to_recordset(%(ends)s) as w(
        hold_id bigint, outcome text, idempotency_key text, captured bigint, released bigint,
        capture_transfer_id bigint, release_transfer_id bigint)
    returning hold_id
)
delete from ledger.open_hold o using ended e where o.hold_id = e.hold_id
