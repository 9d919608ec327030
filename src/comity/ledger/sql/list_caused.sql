-- Transfers that a source caused. No index leads to them, so as to cost postings nothing: all transfers are read.
-- Takes system, external_id and limit_max. Returns transfer ids, in order.
select transfer_id
from ledger.transfer
where (system, external_id) = (%(system)s, %(external_id)s)
order by transfer_id
limit %(limit_max)s
