-- Remember links with their evidence. Takes arrays of equal length, pairs in order.
insert into identity.edge (record_a, record_b, rule, value, match_hash, linked_at)
select w.record_a, w.record_b, w.rule, w.value, %(match_hash)s, %(linked_at)s
from unnest(%(records_a)s::bigint[], %(records_b)s::bigint[], identity.as_texts(%(rules)s), identity.as_texts(%(values)s))
    as w (record_a, record_b, rule, value)
on conflict (record_a, record_b) do update
set rule = excluded.rule, value = excluded.value, match_hash = excluded.match_hash, linked_at = excluded.linked_at
