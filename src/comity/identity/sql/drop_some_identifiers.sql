-- Drop keys of records. Takes arrays of equal length. Relies on the primary key.
delete from identity.identifier i
using unnest(identity.as_texts(%(rules)s), identity.as_texts(%(values)s), %(record_ids)s::bigint[])
    as w (rule, value, record_id)
where i.rule = w.rule and i.value = w.value and i.record_id = w.record_id
