-- Forget what was written into attributes of records.
-- Takes arrays of equal length: record ids, and the attributes to forget as text arrays in JSON.
update profile.observation o
set written = o.written - array(select jsonb_array_elements_text(w.attributes::jsonb))
from unnest(%(record_ids)s::bigint[], %(attributes)s::text[]) as w(record_id, attributes)
where o.record_id = w.record_id and o.written <> '{}'
