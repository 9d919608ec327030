-- Append changes; those known by (system, stream, external id, version) are left alone.
-- Takes lists of equal length as texts joined by U+001E (empty: no time, no survivor), payloads, received_at, channel.
-- Returns system, stream, external_id, version of the new ones. Relies on change_once. Where there are any, it wakes
-- whoever listens on the channel once the transaction commits (here and not in a statement of its own, so that a batch
-- is one round trip; a subquery without outer columns is run once, and only for the first row returned).
-- Record by record, so that two writers of the same changes (a poll and a delivery's read-back) wait instead of
-- deadlocking; within a record in the order given, since that is the order they happened in.
insert into inbox.change (system, stream, external_id, version, kind, source_at, received_at, survivor_id, payload)
select w.system, w.stream, w.external_id, w.version, w.kind, nullif(w.source_at, '')::timestamptz,
    %(received_at)s::timestamptz, nullif(w.survivor_id, ''), w.payload
from unnest(
    string_to_array(%(systems)s, e'\x1e'), string_to_array(%(streams)s, e'\x1e'),
    string_to_array(%(external_ids)s, e'\x1e'), string_to_array(%(versions)s, e'\x1e'),
    string_to_array(%(kinds)s, e'\x1e'), string_to_array(%(source_ats)s, e'\x1e'),
    string_to_array(%(survivor_ids)s, e'\x1e'), %(payloads)b::bytea[]
) with ordinality as w (system, stream, external_id, version, kind, source_at, survivor_id, payload, place)
order by w.system, w.stream, w.external_id, w.place
on conflict on constraint change_once do nothing
returning system, stream, external_id, version, (select pg_notify(%(channel)s, ''))
