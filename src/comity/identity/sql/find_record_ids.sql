-- Find records by key. Takes arrays of equal length. Returns position (from 1), record and living profile.
select w.position, r.record_id, r.profile_id
from unnest(%(systems)s::text[], %(streams)s::text[], %(external_ids)s::text[])
    with ordinality as w (system, stream, external_id, position)
join identity.record r
    on r.system = w.system and r.stream = w.stream and r.external_id = w.external_id
order by w.position
