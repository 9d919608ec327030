-- List the records that have a key, up to one more than a link allows.
-- Takes arrays of equal length. Returns position (from 1) and record ids of keys that at least two records have.
-- Relies on the primary key of identifier.
select w.position, m.record_ids
from unnest(%(key_hashes)s::bigint[], %(limits)s::int[]) with ordinality as w (key_hash, count_max, position)
cross join lateral (
    select array(
        select i.record_id from identity.identifier i
        where i.key_hash = w.key_hash
        order by i.record_id
        limit w.count_max
    ) as record_ids
) m
where cardinality(m.record_ids) > 1
