-- Merge what was sent and stored into the bases, and count the contested writes of the hour.
-- Takes record_ids, fields (array of jsonb), are_contested, shown, system, now.
insert into outbox.base as b (record_id, system, fields, written_at, writes_in_hour, hour_started_at, shown)
select w.record_id, %(system)s::text, w.fields, %(now)s::timestamptz, w.is_contested::int, %(now)s::timestamptz, w.shown
from unnest(%(record_ids)s::bigint[], %(fields)s::jsonb[], %(are_contested)s::boolean[], %(shown)s::bigint[])
    as w(record_id, fields, is_contested, shown)
on conflict (record_id) do update
set fields = b.fields || excluded.fields,
    written_at = excluded.written_at,
    shown = excluded.shown,
    writes_in_hour = case when b.hour_started_at < excluded.written_at - interval '1 hour' then excluded.writes_in_hour
        else b.writes_in_hour + excluded.writes_in_hour end,
    hour_started_at = case when b.hour_started_at < excluded.written_at - interval '1 hour' then excluded.written_at
        else b.hour_started_at end
