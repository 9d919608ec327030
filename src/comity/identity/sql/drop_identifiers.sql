-- Drop all keys of records. Relies on identifier_by_record.
delete from identity.identifier where record_id = any(%(record_ids)s::bigint[])
