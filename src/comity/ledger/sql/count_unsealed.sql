-- Returns how many transfers are not sealed yet.
select count(*)
from ledger.transfer
where transfer_id > (select coalesce(max(last_transfer_id), 0) from ledger.block)
