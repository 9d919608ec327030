-- Forget what was written into attributes of records.
-- Takes arrays of equal length: record ids, and the attributes to forget as text arrays in JSON.
-- Locks in the order in which everybody locks records.
with locked as materialized (
    select o.record_id, w.attributes
    from unnest(%(record_ids)s::bigint[], %(attributes)s::text[]) as w(record_id, attributes)
    join profile.observation o using (record_id)
    where o.written <> '{}'
    order by o.record_id
    for no key update of o
)
update profile.observation o
set written = o.written - array(select jsonb_array_elements_text(l.attributes::jsonb))
from locked l
where o.record_id = l.record_id
