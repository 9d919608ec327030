-- Find records by key. Takes arrays of equal length. Returns position (from 1), record and living profile.
select w.position, r.record_id, r.profile_id
from unnest(
    identity.as_texts(%(systems)s), identity.as_texts(%(streams)s), identity.as_texts(%(external_ids)s)
) with ordinality as w (system, stream, external_id, position)
join identity.record r
    on r.system = w.system and r.stream = w.stream and r.external_id = w.external_id
order by w.position
