-- Returns by their number.
-- Takes business_keys. Returns KnownReturn.
select business_key, purchase_key, occurred_at, amount_minor, currency, details
from activity.return
where business_key = any(%(business_keys)s::text[])
order by business_key
