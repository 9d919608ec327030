-- List records by id. Takes record ids.
select record_id, system, stream, external_id, profile_id, is_deleted, linked_at, rule
from identity.record
where record_id = any(%(record_ids)s::bigint[])
order by record_id
