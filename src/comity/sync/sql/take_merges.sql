-- Take the merges that waited for these surviving records.
-- Takes arrays of equal length. Returns system, stream, survivor_id, loser_id.
delete from sync.merge m
using unnest(%(systems)s::text[], %(streams)s::text[], %(survivor_ids)s::text[]) as w(system, stream, survivor_id)
where m.system = w.system and m.stream = w.stream and m.survivor_id = w.survivor_id
returning m.system, m.stream, m.survivor_id, m.loser_id
