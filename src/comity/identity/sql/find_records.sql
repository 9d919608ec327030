-- Find known records by key and tell which of them differ from what is stored.
-- Takes lists of equal length. Returns position (from 1), ids and, for changed records only, the stored features and
-- whether their keys were made by these very rules.
-- Relies on record_once.
select
    w.position,
    r.record_id,
    r.profile_id,
    case
        when not r.is_deleted and r.match_hash = %(match_hash)s and r.features @> w.features then null
        else r.features
    end as features,
    not r.is_deleted and r.match_hash = %(match_hash)s as is_current
from unnest(
    identity.as_texts(%(systems)s), identity.as_texts(%(streams)s), identity.as_texts(%(external_ids)s),
    identity.as_texts(%(features)s)::jsonb[]
) with ordinality as w (system, stream, external_id, features, position)
join identity.record r
    on r.system = w.system and r.stream = w.stream and r.external_id = w.external_id
