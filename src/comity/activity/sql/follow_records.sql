-- Let purchases follow the records they name as their person, where those have changed their profile. Of several reports
-- the first one decides, where it names somebody, else the one that came first.
-- Takes record ids. Returns the number of purchases moved. Relies on report_of_person.
with touched as (
    select distinct r.purchase_id
    from identity.v_record v
    join activity.report r
        on (r.person_system, r.person_stream, r.person_external_id) = (v.system, v.stream, v.external_id)
    where v.record_id = any(%(record_ids)s::bigint[])
), decided as (
    select distinct on (r.purchase_id) r.purchase_id, v.profile_id
    from touched
    join activity.purchase p using (purchase_id)
    join activity.report r using (purchase_id)
    join identity.v_record v
        on (v.system, v.stream, v.external_id) = (r.person_system, r.person_stream, r.person_external_id)
    order by r.purchase_id,
             (r.system, r.stream, r.external_id) = (p.first_system, p.first_stream, p.first_external_id) desc,
             r.reported_at, r.system, r.stream, r.external_id
)
update activity.purchase p set profile_id = d.profile_id
from decided d
where p.purchase_id = d.purchase_id and p.profile_id <> d.profile_id
