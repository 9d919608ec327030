-- Compute a stretch of the chain anew.
-- Takes after_block_number and limit_max. Returns CheckedBlock in order: what is stored, and what follows from the
-- transfers as they are now and from the block before.
select
    b.block_number, b.first_transfer_id, b.last_transfer_id, b.transfer_count, b.total_count,
    encode(b.digest, 'hex') as digest, encode(d.digest, 'hex') as found_digest, d.transfer_count as found_count,
    b.previous_digest = coalesce(p.digest, ''::bytea) and b.first_transfer_id = coalesce(p.last_transfer_id, 0) + 1
        as is_linked
from ledger.block b
left join ledger.block p on p.block_number = b.block_number - 1
cross join lateral ledger.digest_block(b.previous_digest, b.first_transfer_id, b.last_transfer_id) d
where b.block_number > %(after_block_number)s
order by b.block_number
limit %(limit_max)s
