-- What is being written into these records.
-- Takes record_ids. Returns record_id, written.
select record_id, written from outbox.flight where record_id = any(%(record_ids)s::bigint[])
