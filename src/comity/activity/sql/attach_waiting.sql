-- Give waiting purchases the profile of the record that a report of them names.
-- Takes a JSON array of {system, stream, external_id, profile_id}. Returns PurchaseRecorded of each.
-- Relies on report_of_person.
with found as (
    select distinct on (p.purchase_id) p.purchase_id, l.profile_id
    from jsonb_to_recordset(%(records)s) as l(system text, stream text, external_id text, profile_id uuid)
    join activity.report r
        on (r.person_system, r.person_stream, r.person_external_id) = (l.system, l.stream, l.external_id)
    join activity.purchase p on p.purchase_id = r.purchase_id
    where p.profile_id is null
    order by p.purchase_id, r.reported_at
)
update activity.purchase p set profile_id = f.profile_id
from found f
where p.purchase_id = f.purchase_id and p.profile_id is null
returning
    p.purchase_id, p.business_key, p.profile_id, p.occurred_at, p.amount_minor, p.currency,
    p.first_system as system, p.first_stream as stream, p.first_external_id as external_id,
    p.is_cancelled, p.details
