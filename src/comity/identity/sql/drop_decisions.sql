-- Take decisions of one sense back. Takes arrays of equal length, pairs in order.
delete from identity.decision d
using unnest(%(records_a)s::bigint[], %(records_b)s::bigint[]) as w (record_a, record_b)
where d.record_a = w.record_a and d.record_b = w.record_b and d.is_same = %(is_same)s
