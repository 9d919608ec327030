-- The end of the chain.
-- Returns Block or nothing.
select block_number, first_transfer_id, last_transfer_id, transfer_count, total_count, note_count,
       encode(previous_digest, 'hex') as previous_digest, encode(digest, 'hex') as digest, sealed_at
from ledger.block
order by block_number desc
limit 1
