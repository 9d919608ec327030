-- Holds, with how they ended.
-- Takes hold ids. Returns HoldState of those that exist.
select
    h.hold_id, h.account_id, h.reserved_account_id, h.amount, h.deadline_at, e.outcome, e.idempotency_key as ended_by,
    coalesce(e.captured, 0) as captured, coalesce(e.released, 0) as released, e.capture_transfer_id,
    e.release_transfer_id
from ledger.v_hold h
left join ledger.hold_end e using (hold_id)
where h.hold_id = any(%(hold_ids)s::bigint[])
