-- Both legs of transfers.
-- Takes transfer ids. Returns TransferLegs of those that exist.
select transfer_id, debit_account_id, credit_account_id, amount, reverses_transfer_id
from ledger.transfer
where transfer_id = any(%(transfer_ids)s::bigint[])
