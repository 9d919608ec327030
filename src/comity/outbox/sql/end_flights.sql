-- What became of these writes is known.
-- Takes record_ids.
delete from outbox.flight where record_id = any(%(record_ids)s::bigint[])
