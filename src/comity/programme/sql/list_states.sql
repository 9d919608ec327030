-- Purchases as they are known now, with what was returned of them in the currency they were paid in.
-- Takes purchase_ids. Returns PurchaseState.
select
    p.purchase_id, p.occurred_at, p.amount_minor, p.currency, p.is_cancelled, p.details, p.first_system as system,
    p.first_external_id as external_id, array(
        select jsonb_build_object(
            'amount_minor', r.amount_minor, 'lines', r.details -> 'lines', 'occurred_at', r.occurred_at)
        from activity.v_return r
        where r.purchase_id = p.purchase_id and r.currency = p.currency
        order by r.occurred_at, r.business_key
    ) as returns, coalesce((
        select jsonb_object_agg(v.name, v.happened_at) from activity.v_event v where v.purchase_id = p.purchase_id
    ), '{}') as events
from activity.v_purchase p
where p.purchase_id = any(%(purchase_ids)s::bigint[])
