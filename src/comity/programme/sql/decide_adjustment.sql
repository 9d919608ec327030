-- Note how an adjustment that waits was decided.
-- Takes adjustment_id, state, checker, transfer_id and the time. Returns Adjustment.
update programme.adjustment
set state = %(state)s, checker = %(checker)s, transfer_id = %(transfer_id)s, decided_at = %(now)s
where adjustment_id = %(adjustment_id)s and state = 'waiting'
returning adjustment_id, idempotency_key, programme, profile_id, points, kind, effective_on, reason, reference, state,
          maker, proposed_at, checker, decided_at, transfer_id
