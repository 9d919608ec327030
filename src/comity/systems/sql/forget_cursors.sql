-- Read these streams from the beginning again: what is known by its version is not taken in twice.
-- Takes systems, streams (arrays of equal length).
delete from systems.cursor c
using unnest(%(systems)s::text[], %(streams)s::text[]) as w(system, stream)
where c.system = w.system and c.stream = w.stream
