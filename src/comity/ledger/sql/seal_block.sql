-- Seal the next transfers and notes, up to last_id and at most count_max of each.
-- Takes last_id, count_max, sealed_at. Returns how many transfers and notes were sealed, or nothing at the end.
with former as (
    select coalesce(max(block_number), 0) as block_number, coalesce(max(last_transfer_id), 0) as last_transfer_id,
           coalesce(max(last_note_id), 0) as last_note_id, coalesce(max(total_count), 0) as total_count
    from ledger.block
), next as (
    select coalesce(max(q.transfer_id), (select f.last_transfer_id from former f)) as last_transfer_id
    from (
        select t.transfer_id
        from ledger.transfer t
        where t.transfer_id > (select f.last_transfer_id from former f) and t.transfer_id <= %(last_id)s
        order by t.transfer_id
        limit %(count_max)s
    ) q
), next_note as (
    -- Notes of one number stay together.
    select case
        when count(*) < %(count_max)s then greatest(%(last_id)s, (select f.last_note_id from former f))
        else max(q.number) end as last_note_id
    from (
        select o.number
        from ledger.v_note o
        where o.number > (select f.last_note_id from former f) and o.number <= %(last_id)s
        order by o.number
        limit %(count_max)s
    ) q
)
insert into ledger.block (
    block_number, first_transfer_id, last_transfer_id, transfer_count, total_count, last_note_id, note_count,
    previous_digest, digest, sealed_at)
select f.block_number + 1, f.last_transfer_id + 1, n.last_transfer_id, d.transfer_count,
       f.total_count + d.transfer_count, o.last_note_id, d.note_count, p.digest, d.digest, %(sealed_at)s
from former f
cross join next n
cross join next_note o
cross join lateral (
    select coalesce((select b.digest from ledger.block b where b.block_number = f.block_number), ''::bytea) as digest
) p
cross join lateral ledger.digest_block(
    p.digest, f.last_transfer_id + 1, n.last_transfer_id, f.last_note_id + 1, o.last_note_id
) d
where d.transfer_count + d.note_count > 0
returning transfer_count + note_count
