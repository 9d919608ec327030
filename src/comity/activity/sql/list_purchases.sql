-- A page of a profile's purchases, last recorded first.
-- Takes profile_id, before_purchase_id (null: from the last) and limit_max. Returns Purchase.
select purchase_id, business_key, profile_id, occurred_at, amount_minor, currency, first_system, recorded_at, is_cancelled
from activity.purchase
where profile_id = %(profile_id)s
  and (%(before_purchase_id)s::bigint is null or purchase_id < %(before_purchase_id)s::bigint)
order by purchase_id desc
limit %(limit_max)s
