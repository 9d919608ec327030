-- Forget the bases of records that are gone.
-- Takes record_ids. Locks in the order in which everybody locks bases.
with gone as materialized (
    select b.record_id from outbox.base b where b.record_id = any(%(record_ids)s::bigint[]) order by b.record_id for update
)
delete from outbox.base b using gone where b.record_id = gone.record_id
