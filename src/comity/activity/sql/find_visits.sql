-- Visits by their keys.
-- Takes business_keys. Returns Visit.
select business_key, profile_id, occurred_at
from activity.visit
where business_key = any(%(business_keys)s::text[])
