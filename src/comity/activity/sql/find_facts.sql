-- Purchases by their number, as they stand, each with what one stream has reported under that number.
-- Takes business_keys, system and stream. Returns Fact, by business key. Relies on return_of_purchase
-- and event_of_purchase.
select
    p.purchase_id, p.business_key, p.profile_id, p.occurred_at, p.amount_minor, p.currency, p.first_system as system,
    p.first_stream as stream, p.first_external_id as external_id, p.is_cancelled, p.details,
    r.occurred_at as told_at, r.amount_minor as told_minor, r.currency as told_currency, (
        select coalesce(sum(t.amount_minor), 0)::bigint
        from activity.return t
        where t.purchase_key = p.business_key and t.currency = p.currency
    ) as returned_minor,
    exists (select from activity.return t where t.purchase_key = p.business_key)
    or exists (select from activity.event e where e.purchase_key = p.business_key) as is_followed
from activity.purchase p
left join activity.report r
    on r.purchase_id = p.purchase_id
    and (r.system, r.stream, r.external_id) = (%(system)s::text, %(stream)s::text, p.business_key)
where p.business_key = any(%(business_keys)s::text[])
order by p.business_key
