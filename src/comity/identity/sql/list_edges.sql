-- List the remembered links of records. Takes record ids. Relies on the primary key and edge_by_second.
select record_a, record_b, rule, value, match_hash from identity.edge where record_a = any(%(record_ids)s::bigint[])
union
select record_a, record_b, rule, value, match_hash from identity.edge where record_b = any(%(record_ids)s::bigint[])
