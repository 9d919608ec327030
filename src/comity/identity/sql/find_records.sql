-- Find known records by key.
-- Takes lists of equal length. Returns position (from 1), ids, the row's place, stored features as JSON, and whether the record
-- is alive and its keys were made by these very rules.
-- Relies on record_once.
select
    w.position, r.record_id, r.profile_id, r.ctid::text as place, r.features::text,
    not r.is_deleted and r.match_hash = %(match_hash)s as is_current
from unnest(identity.as_texts(%(systems)s), identity.as_texts(%(streams)s), identity.as_texts(%(external_ids)s))
    with ordinality as w (system, stream, external_id, position)
join identity.record r
    on r.system = w.system and r.stream = w.stream and r.external_id = w.external_id
