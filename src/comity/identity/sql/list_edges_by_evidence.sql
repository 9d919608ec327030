-- List the links made from key values. Takes arrays of equal length. Relies on edge_by_evidence.
select e.record_a, e.record_b, e.rule, e.value, e.match_hash
from unnest(identity.as_texts(%(rules)s), identity.as_texts(%(values)s)) as w (rule, value)
join identity.edge e on e.rule = w.rule and e.value = w.value
