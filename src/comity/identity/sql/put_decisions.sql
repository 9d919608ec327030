-- Store decisions about pairs; the latest counts. Takes arrays of equal length, pairs in order.
insert into identity.decision (record_a, record_b, is_same, source, reason, decided_at)
select w.record_a, w.record_b, %(is_same)s, %(source)s, %(reason)s, %(decided_at)s
from unnest(%(records_a)s::bigint[], %(records_b)s::bigint[]) as w (record_a, record_b)
on conflict (record_a, record_b) do update
set is_same = excluded.is_same, source = excluded.source, reason = excluded.reason, decided_at = excluded.decided_at
where (decision.is_same, decision.source) is distinct from (excluded.is_same, excluded.source)
