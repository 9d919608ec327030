-- List what was decided about records. Takes record ids. Relies on the primary key and decision_by_second.
select record_a, record_b, is_same from identity.decision where record_a = any(%(record_ids)s::bigint[])
union
select record_a, record_b, is_same from identity.decision where record_b = any(%(record_ids)s::bigint[])
