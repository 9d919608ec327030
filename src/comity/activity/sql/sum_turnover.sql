-- How lately, how often and for how much people have bought, by what happened before a moment.
-- Takes profile_ids (null: everybody who bought) and until. Returns Turnover. Relies on purchase_of_profile and
-- return_of_purchase.
select
    s.profile_id, max(s.last_purchase_at) as last_purchase_at, sum(s.purchase_count)::bigint as purchase_count,
    jsonb_object_agg(s.currency, s.amount_minor) as value_minor
from (
    select
        t.profile_id, t.currency, max(t.happened_at) filter (where t.purchase_count = 1) as last_purchase_at,
        sum(t.purchase_count) as purchase_count, sum(t.amount_minor) as amount_minor
    from activity.v_turnover t
    where t.happened_at < %(until)s
      and (%(profile_ids)s::uuid[] is null or t.profile_id = any(%(profile_ids)s::uuid[]))
    group by t.profile_id, t.currency
) s
group by s.profile_id
