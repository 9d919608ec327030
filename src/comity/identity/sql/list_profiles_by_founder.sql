-- List the Global IDs that records founded. Takes record ids. Relies on profile_by_founder.
select profile_id, founder_record_id, merged_into, created_at
from identity.profile
where founder_record_id = any(%(record_ids)s::bigint[])
