-- List the records that have a key, up to one more than a link allows.
-- Takes arrays of equal length. Returns position (from 1) and record ids of keys that at least two records have.
-- Relies on the primary key of identifier.
select w.position, m.record_ids
from unnest(identity.as_texts(%(rules)s), identity.as_texts(%(values)s), %(limits)s::int[])
    with ordinality as w (rule, value, count_max, position)
cross join lateral (
    select array(
        select i.record_id from identity.identifier i
        where i.rule = w.rule and i.value = w.value
        order by i.record_id
        limit w.count_max
    ) as record_ids
) m
where cardinality(m.record_ids) > 1
