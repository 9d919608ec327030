-- The books of all runs since a time, per kind and system.
-- Takes since.
select kind, system, count(*) as run_count, sum(read_count)::bigint as read_count, sum(applied_count)::bigint as applied_count,
    sum(unchanged_count)::bigint as unchanged_count, sum(filtered_count)::bigint as filtered_count,
    sum(parked_count)::bigint as parked_count
from sync.run where finished_at >= %(since)s::timestamptz
group by kind, system order by kind, system
