-- What matching knows of the living records of profiles. Takes living profile ids. Relies on record_by_profile.
select record_id, profile_id, features
from identity.record
where profile_id = any(%(profile_ids)s::uuid[]) and not is_deleted
order by record_id
