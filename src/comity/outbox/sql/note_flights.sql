-- Note what is about to be written into records.
-- Takes record_ids, written (array of jsonb).
insert into outbox.flight (record_id, written)
select * from unnest(%(record_ids)s::bigint[], %(written)s::jsonb[])
on conflict (record_id) do update set written = excluded.written
