-- Let purchases follow the records they name as their person, where those have changed their profile, and the Global IDs
-- that came along: those of the profiles where these records are now. Of several reports the first one decides, where it
-- names somebody, else the one that came first.
-- Takes record ids, and the system and stream that Global IDs are named by. Returns the number of purchases moved.
-- Relies on report_of_person.
with recursive stands (source, profile_id) as (
    -- Global IDs that stand for somebody whose records have moved.
    select v.profile_id, v.profile_id from identity.v_record v where v.record_id = any(%(record_ids)s::bigint[])
    union
    select a.profile_id, s.profile_id from stands s join identity.v_profile a on a.merged_into = s.source
), touched as (
    select r.purchase_id
    from identity.v_record v
    join activity.report r
        on (r.person_system, r.person_stream, r.person_external_id) = (v.system, v.stream, v.external_id)
    where v.record_id = any(%(record_ids)s::bigint[])
    union
    select r.purchase_id
    from stands s
    join activity.report r
        on (r.person_system, r.person_stream, r.person_external_id) = (%(system)s, %(stream)s, s.source::text)
), named as (
    select r.purchase_id, p.profile_id, r.person_system, r.person_stream, r.person_external_id, r.reported_at, r.system,
           r.stream, r.external_id,
           (r.system, r.stream, r.external_id) = (p.first_system, p.first_stream, p.first_external_id) as is_first
    from touched
    join activity.purchase p using (purchase_id)
    join activity.report r using (purchase_id)
    where r.person_external_id is not null
), step (source, profile_id, merged_into) as (
    select g.profile_id, g.profile_id, g.merged_into
    from identity.v_profile g
    where g.profile_id in (
        select n.person_external_id::uuid from named n
        where (n.person_system, n.person_stream) = (%(system)s, %(stream)s)
          and n.person_external_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    )
    union
    select t.source, g.profile_id, g.merged_into from step t join identity.v_profile g on g.profile_id = t.merged_into
), decided as (
    select distinct on (n.purchase_id) n.purchase_id, coalesce(v.profile_id, g.profile_id) as profile_id
    from named n
    left join identity.v_record v
        on (v.system, v.stream, v.external_id) = (n.person_system, n.person_stream, n.person_external_id)
    left join step g
        on g.merged_into is null
        and (n.person_system, n.person_stream, n.person_external_id) = (%(system)s, %(stream)s, g.source::text)
    where v.profile_id is not null or g.profile_id is not null
    order by n.purchase_id, n.is_first desc, n.reported_at, n.system, n.stream, n.external_id
)
update activity.purchase p set profile_id = d.profile_id
from decided d
where p.purchase_id = d.purchase_id and p.profile_id <> d.profile_id
