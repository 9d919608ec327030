-- Let visits follow the records that they name, and the Global IDs that stand for who has these records now.
-- Takes record ids, and the system and stream that Global IDs are named by. Relies on visit_of_person.
with recursive stands (source, profile_id) as (
    select v.profile_id, v.profile_id from identity.v_record v where v.record_id = any(%(record_ids)s::bigint[])
    union
    select a.profile_id, s.profile_id from stands s join identity.v_profile a on a.merged_into = s.source
), named as (
    select v.system, v.stream, v.external_id, v.profile_id
    from identity.v_record v
    where v.record_id = any(%(record_ids)s::bigint[])
    union all
    select %(system)s, %(stream)s, s.source::text, s.profile_id
    from stands s
    join identity.v_profile p on p.profile_id = s.profile_id and p.merged_into is null
)
update activity.visit v set profile_id = n.profile_id
from named n
where (v.person_system, v.person_stream, v.person_external_id) = (n.system, n.stream, n.external_id)
  and v.profile_id <> n.profile_id
