-- Close the doubts about key values that are no longer shared by too many. Takes arrays of equal length.
update identity.review v
set closed_at = %(closed_at)s
from unnest(identity.as_texts(%(rules)s), identity.as_texts(%(values)s)) as w (rule, value)
where v.kind = 'shared_value' and v.rule = w.rule and v.value = w.value
    and v.record_a = 0 and v.record_b = 0 and v.closed_at is null
