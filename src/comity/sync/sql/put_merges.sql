-- Keep merges until their surviving records come in; repeating changes nothing.
-- Takes arrays of equal length, told_at.
insert into sync.merge (system, stream, survivor_id, loser_id, told_at)
select w.system, w.stream, w.survivor_id, w.loser_id, %(told_at)s::timestamptz
from unnest(%(systems)s::text[], %(streams)s::text[], %(survivor_ids)s::text[], %(loser_ids)s::text[])
    as w(system, stream, survivor_id, loser_id)
on conflict do nothing
