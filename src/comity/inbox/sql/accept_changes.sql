-- Append changes; those already known by (system, stream, external id, version) are left alone.
-- Takes arrays of equal length. Returns system, stream, external_id, version of the new ones. Relies on change_once.
insert into inbox.change (system, stream, external_id, version, kind, source_at, received_at, survivor_id, payload)
select w.system, w.stream, w.external_id, w.version, w.kind, w.source_at, %(received_at)s::timestamptz, w.survivor_id, w.payload
from unnest(
    %(systems)s::text[], %(streams)s::text[], %(external_ids)s::text[], %(versions)s::text[], %(kinds)s::text[],
    %(source_ats)s::timestamptz[], %(survivor_ids)s::text[], %(payloads)s::bytea[]
) as w(system, stream, external_id, version, kind, source_at, survivor_id, payload)
on conflict on constraint change_once do nothing
returning system, stream, external_id, version
