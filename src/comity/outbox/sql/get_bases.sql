-- Bases of records.
-- Takes record_ids.
select record_id, fields, written_at, writes_in_hour, hour_started_at, doubted_count, settled_count
from outbox.base where record_id = any(%(record_ids)s::bigint[])
