-- Keep the books of a run.
-- Takes kind, system, finished_at and the counts.
insert into sync.run (kind, system, finished_at, read_count, applied_count, unchanged_count, filtered_count, parked_count)
values (%(kind)s, %(system)s, %(finished_at)s, %(read_count)s, %(applied_count)s, %(unchanged_count)s, %(filtered_count)s, %(parked_count)s)
