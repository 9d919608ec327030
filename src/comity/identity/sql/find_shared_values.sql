-- Of key values, those that were shared by too many when last looked at. Takes arrays of equal length.
-- Returns positions (from 1). Relies on review_once.
select w.position
from unnest(identity.as_texts(%(rules)s), identity.as_texts(%(values)s)) with ordinality as w (rule, value, position)
join identity.review v
    on v.kind = 'shared_value' and v.rule = w.rule and v.value = w.value
    and v.record_a = 0 and v.record_b = 0 and v.closed_at is null
