-- Doubts about records are settled by a comparison; those that came up after it stay.
-- Takes record_ids, settled_counts (the doubts that each comparison knew of).
update outbox.base b set settled_count = greatest(b.settled_count, w.settled_count)
from unnest(%(record_ids)s::bigint[], %(settled_counts)s::bigint[]) as w(record_id, settled_count)
where b.record_id = w.record_id and b.settled_count < w.settled_count
