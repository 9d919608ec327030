-- Compute a stretch of the chain anew.
-- Takes after_block_number and limit_max. Returns CheckedBlock in order: what is stored, and what follows from the
-- transfers and notes as they are now and from the block before.
select
    b.block_number, b.first_transfer_id, b.last_transfer_id, b.transfer_count, b.total_count, f.first_note_id,
    b.last_note_id, b.note_count, encode(b.digest, 'hex') as digest, encode(d.digest, 'hex') as found_digest,
    d.transfer_count as found_count, d.note_count as found_note_count,
    b.previous_digest = coalesce(p.digest, ''::bytea) and b.first_transfer_id = coalesce(p.last_transfer_id, 0) + 1
        as is_linked
from ledger.block b
left join ledger.block p on p.block_number = b.block_number - 1
cross join lateral (
    select coalesce(max(o.last_note_id), 0) + 1 as first_note_id from ledger.block o where o.block_number < b.block_number
) f
cross join lateral ledger.digest_block(
    b.previous_digest, b.first_transfer_id, b.last_transfer_id, f.first_note_id, b.last_note_id
) d
where b.block_number > %(after_block_number)s
order by b.block_number
limit %(limit_max)s
