-- Put records under another profile. Takes arrays of equal length.
update identity.record r
set profile_id = w.profile_id, linked_at = %(linked_at)s, rule = w.rule
from unnest(%(record_ids)s::bigint[], %(profile_ids)s::uuid[], identity.as_texts(%(rules)s))
    as w (record_id, profile_id, rule)
where r.record_id = w.record_id
