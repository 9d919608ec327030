-- Facts that have a profile, for rooms downstream.
create or replace view activity.v_purchase as
select
    purchase_id, business_key, profile_id, occurred_at, amount_minor, currency, first_system, recorded_at, is_cancelled,
    details, first_stream, first_external_id
from activity.purchase
where profile_id is not null;

-- Returns whose purchase is known.
create or replace view activity.v_return as
select
    r.return_id, r.business_key, p.purchase_id, r.occurred_at, r.amount_minor, r.currency, r.details, r.recorded_at
from activity.return r
join activity.purchase p on p.business_key = r.purchase_key;

-- Events of known purchases, each as of the earliest that any system says.
create or replace view activity.v_event as
select p.purchase_id, e.name, min(e.happened_at) as happened_at
from activity.event e
join activity.purchase p on p.business_key = e.purchase_key
where e.happened_at is not null
group by p.purchase_id, e.name;

-- Visits of people.
create or replace view activity.v_visit as
select visit_id, profile_id, occurred_at
from activity.visit;
