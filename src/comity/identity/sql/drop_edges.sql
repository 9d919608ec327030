-- Forget links, unless they have been replaced meanwhile. Takes arrays of equal length.
delete from identity.edge e
using unnest(%(records_a)s::bigint[], %(records_b)s::bigint[], identity.as_texts(%(rules)s))
    as w (record_a, record_b, rule)
where e.record_a = w.record_a and e.record_b = w.record_b and e.rule = w.rule
