-- Records may show something else than what was agreed with them: all of their fields are to be compared anew.
-- Takes record_ids, shown (arrays of equal length; null doubts in any case). Returns record_id of those doubted.
update outbox.base b set doubted_count = b.doubted_count + 1
from unnest(%(record_ids)s::bigint[], %(shown)s::bigint[]) as w(record_id, shown)
where b.record_id = w.record_id and (w.shown is null or w.shown is distinct from b.shown)
returning b.record_id
