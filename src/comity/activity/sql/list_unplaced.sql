-- Reports that wait for something: purchases for the record of their person, returns for their purchase. Purchases that
-- name nobody wait for nothing. Longest waiting first.
-- Takes system (null for all) and limit_max. Returns Unplaced.
-- Relies on purchase_waiting, report_of_purchase and purchase_once.
select w.kind, w.system, w.stream, w.external_id, w.business_key, w.waits_for, w.amount_minor, w.currency, w.recorded_at
from (
    (
        select
            'purchase' as kind, p.first_system as system, p.first_stream as stream, p.first_external_id as external_id,
            p.business_key, n.person as waits_for, p.amount_minor, p.currency, p.recorded_at
        from activity.purchase p
        cross join lateral (
            select r.person_system || '/' || r.person_stream || '/' || r.person_external_id as person
            from activity.report r
            where r.purchase_id = p.purchase_id and r.person_external_id is not null
            order by r.reported_at, person
            limit 1
        ) n
        where p.profile_id is null and (%(system)s::text is null or p.first_system = %(system)s)
        order by p.purchase_id
        limit %(limit_max)s
    )
    union all
    (
        select
            'return' as kind, r.first_system, r.first_stream, r.first_external_id,
            r.business_key, r.purchase_key as waits_for, r.amount_minor, r.currency, r.recorded_at
        from activity.return r
        where not exists (select from activity.purchase p where p.business_key = r.purchase_key)
            and (%(system)s::text is null or r.first_system = %(system)s)
        order by r.return_id
        limit %(limit_max)s
    )
) w
order by w.recorded_at, w.kind, w.business_key
limit %(limit_max)s
