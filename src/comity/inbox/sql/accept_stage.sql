-- Append what was copied into the stage; changes known by (system, stream, external id, version) are left alone.
-- Takes received_at. Returns system, stream, external_id, version of the new ones. Relies on change_once.
-- Record by record, so that two writers of the same changes (a poll and a delivery's read-back) wait instead of
-- deadlocking; within a record as they were copied in (ctid), since that is the order they happened in.
insert into inbox.change (system, stream, external_id, version, kind, source_at, received_at, survivor_id, payload)
select w.system, w.stream, w.external_id, w.version, w.kind, w.source_at, %(received_at)s::timestamptz, w.survivor_id, w.payload
from inbox_stage w
order by w.system, w.stream, w.external_id, w.ctid
on conflict on constraint change_once do nothing
returning system, stream, external_id, version
