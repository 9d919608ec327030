-- Forget the bases of records that are gone.
-- Takes record_ids.
delete from outbox.base where record_id = any(%(record_ids)s::bigint[])
