-- List the records of profiles, oldest first. Takes living profile ids. Relies on record_by_profile.
select record_id, system, stream, external_id, profile_id, is_deleted, linked_at, rule
from identity.record
where profile_id = any(%(profile_ids)s::uuid[])
order by record_id
