-- Note an adjustment: posted already, or waiting.
-- Takes its columns. Returns Adjustment.
insert into programme.adjustment (
    idempotency_key, programme, profile_id, points, kind, effective_on, reason, reference, period, state, maker,
    proposed_at, decided_at, transfer_id)
values (
    %(idempotency_key)s, %(programme)s, %(profile_id)s, %(points)s, %(kind)s, %(effective_on)s, %(reason)s, %(reference)s,
    %(period)s, %(state)s, %(maker)s, %(now)s, case when %(state)s::text = 'posted' then %(now)s::timestamptz end, %(transfer_id)s)
returning adjustment_id, idempotency_key, programme, profile_id, points, kind, effective_on, reason, reference, state,
          maker, proposed_at, checker, decided_at, transfer_id
