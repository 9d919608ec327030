-- Seal the next transfers, up to last_transfer_id and at most count_max of them.
-- Takes last_transfer_id, count_max, sealed_at. Returns the number of transfers sealed, or nothing at the end.
with former as (
    select coalesce(max(block_number), 0) as block_number, coalesce(max(last_transfer_id), 0) as last_transfer_id,
           coalesce(max(total_count), 0) as total_count
    from ledger.block
), next as (
    select max(q.transfer_id) as last_transfer_id, count(*) as transfer_count
    from (
        select t.transfer_id
        from ledger.transfer t
        where t.transfer_id > (select f.last_transfer_id from former f) and t.transfer_id <= %(last_transfer_id)s
        order by t.transfer_id
        limit %(count_max)s
    ) q
)
insert into ledger.block (
    block_number, first_transfer_id, last_transfer_id, transfer_count, total_count, previous_digest, digest, sealed_at)
select f.block_number + 1, f.last_transfer_id + 1, n.last_transfer_id, d.transfer_count,
       f.total_count + d.transfer_count, p.digest, d.digest, %(sealed_at)s
from former f
cross join next n
cross join lateral (
    select coalesce((select b.digest from ledger.block b where b.block_number = f.block_number), ''::bytea) as digest
) p
cross join lateral ledger.digest_block(p.digest, f.last_transfer_id + 1, n.last_transfer_id) d
where n.transfer_count > 0
returning transfer_count
