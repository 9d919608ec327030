-- Get what was decided about one pair. Takes both records in order. Returns no row or one.
select is_same, source, reason from identity.decision where record_a = %(record_a)s and record_b = %(record_b)s
