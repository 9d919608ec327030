-- Load what matching needs of records. Takes record ids. Relies on the primary key of record.
select record_id, system, stream, external_id, profile_id, features, is_deleted
from identity.record
where record_id = any(%(record_ids)s::bigint[])
