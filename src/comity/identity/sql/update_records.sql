-- Store features of known records. Takes arrays of equal length, and whether the records are gone.
update identity.record r
set features = w.features, match_hash = %(match_hash)s, is_deleted = %(is_deleted)s
from unnest(%(record_ids)s::bigint[], identity.as_texts(%(features)s)::json[]) as w (record_id, features)
where r.record_id = w.record_id
