-- Store changed features of known records. Takes arrays of equal length.
update identity.record r
set features = w.features, match_hash = %(match_hash)s, is_deleted = w.is_deleted
from unnest(%(record_ids)s::bigint[], identity.as_texts(%(features)s)::jsonb[], %(are_deleted)s::boolean[])
    as w (record_id, features, is_deleted)
where r.record_id = w.record_id
