-- Purchases of people as they are known now, with what was returned of them in the currency they were paid in. Those of
-- somebody who was merged just now are the survivor's already.
-- Takes profile_ids. Returns profile_id as it was asked, and PurchaseState.
with asked as (
    select a.profile_id, a.profile_id as owner_profile_id from unnest(%(profile_ids)s::uuid[]) as a(profile_id)
    union
    select v.profile_id, v.merged_into
    from identity.v_profile v
    where v.profile_id = any(%(profile_ids)s::uuid[]) and v.merged_into is not null
)
select
    asked.profile_id, p.purchase_id, p.occurred_at, p.amount_minor, p.currency, p.is_cancelled, p.details,
    p.first_system as system, p.first_external_id as external_id, array(
        select jsonb_build_object(
            'amount_minor', r.amount_minor, 'lines', r.details -> 'lines', 'occurred_at', r.occurred_at
        )
        from activity.v_return r
        where r.purchase_id = p.purchase_id and r.currency = p.currency
        order by r.occurred_at, r.business_key
    ) as returns
from asked
join activity.v_purchase p on p.profile_id = asked.owner_profile_id
