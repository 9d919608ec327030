-- Whose records are. Takes record ids, which are known. Returns record and living profile.
select r.record_id, r.profile_id
from identity.record r
where r.record_id = any(%(record_ids)s::bigint[])
