-- Set changes aside with their reasons; what is parked already keeps its first reason.
-- Takes arrays of equal length and parked_at.
insert into inbox.parked (change_id, system, stream, external_id, code, field, message, remedy, parked_at)
select c.change_id, c.system, c.stream, c.external_id, w.code, w.field, w.message, w.remedy, %(parked_at)s::timestamptz
from unnest(%(change_ids)s::bigint[], %(codes)s::text[], %(fields)s::text[], %(messages)s::text[], %(remedies)s::text[])
    as w(change_id, code, field, message, remedy)
join inbox.change c using (change_id)
on conflict (change_id) do nothing
