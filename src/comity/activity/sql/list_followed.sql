-- Which of these purchases have returns or events.
-- Takes purchase_ids. Returns (purchase_id, profile_id). Relies on return_of_purchase and event_of_purchase.
select p.purchase_id, p.profile_id
from activity.purchase p
where p.purchase_id = any(%(purchase_ids)s::bigint[]) and p.profile_id is not null
  and (
      exists (select from activity.return r where r.purchase_key = p.business_key)
      or exists (select from activity.event e where e.purchase_key = p.business_key)
  )
order by p.purchase_id
