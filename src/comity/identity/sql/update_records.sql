-- Store features of known records, which are alive then; nobody else changes them meanwhile.
-- Takes arrays of equal length: record ids, row places, features as JSON.
update identity.record r
set features = w.features, match_hash = %(match_hash)s, is_deleted = false
from unnest(
    %(record_ids)s::bigint[], identity.as_texts(%(places)s)::tid[], identity.as_texts(%(features)s)::json[]
) as w (record_id, place, features)
where r.ctid = w.place and r.record_id = w.record_id
