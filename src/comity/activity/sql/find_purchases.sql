-- The purchases that reports speak of.
-- Takes system, stream (null: any) and external_id. Returns purchase ids.
select distinct purchase_id
from activity.report
where system = %(system)s and external_id = %(external_id)s
  and (%(stream)s::text is null or stream = %(stream)s::text)
order by purchase_id
