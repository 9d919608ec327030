-- Append the latest state of every record of some streams again, to be read with another mapping.
-- Takes systems, streams (arrays of equal length), mark (makes the versions new), received_at. Returns how many.
with latest as (
    select distinct on (c.system, c.stream, c.external_id) c.*
    from inbox.change c
    join unnest(%(systems)s::text[], %(streams)s::text[]) as w(system, stream) using (system, stream)
    order by c.system, c.stream, c.external_id, c.xid desc, c.change_id desc
)
insert into inbox.change (system, stream, external_id, version, kind, source_at, received_at, survivor_id, payload)
select system, stream, external_id, version || %(mark)s::text, kind, source_at, %(received_at)s::timestamptz, survivor_id,
    payload
from latest where kind = 'upsert'
on conflict on constraint change_once do nothing
