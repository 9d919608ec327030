-- Set changes aside with their reasons; what is parked already keeps its first reason.
-- Takes arrays of equal length and parked_at.
insert into inbox.parked (change_id, code, field, message, remedy, parked_at)
select w.change_id, w.code, w.field, w.message, w.remedy, %(parked_at)s::timestamptz
from unnest(%(change_ids)s::bigint[], %(codes)s::text[], %(fields)s::text[], %(messages)s::text[], %(remedies)s::text[])
    as w(change_id, code, field, message, remedy)
on conflict (change_id) do nothing
