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

-- What people spent and got back, one row each, so that the sum of the rows up to a moment is what was spent by then:
-- purchases that stand (purchase_count is 1; of a credit note, which has an amount below zero, 0) and returns in the
-- currency of their purchase (0), which never give back more than was paid, nor before it was.
create or replace view activity.v_turnover as
select
    profile_id, purchase_id, occurred_at as happened_at, currency, amount_minor,
    case when amount_minor < 0 then 0 else 1 end as purchase_count
from activity.purchase
where profile_id is not null and not is_cancelled
union all
select
    t.profile_id, t.purchase_id, t.happened_at, t.currency,
    (greatest(t.paid - t.returned, 0) - greatest(t.paid - t.returned + t.amount_minor, 0))::bigint, 0
from (
    -- The profile is part of the window so that a condition on it is looked up, and not sifted out of everything.
    select
        p.profile_id, p.purchase_id, greatest(r.occurred_at, p.occurred_at) as happened_at, p.currency,
        p.amount_minor as paid, r.amount_minor,
        sum(r.amount_minor) over (
            partition by p.profile_id, p.purchase_id order by r.occurred_at, r.return_id rows unbounded preceding
        ) as returned
    from activity.purchase p
    join activity.return r on r.purchase_key = p.business_key and r.currency = p.currency
    where p.profile_id is not null and not p.is_cancelled
) t;
