-- Facts that have a profile, for rooms downstream.
create or replace view activity.v_purchase as
select purchase_id, business_key, profile_id, occurred_at, amount_minor, currency, first_system, first_external_id, recorded_at
from activity.purchase
where profile_id is not null;
