-- Note what transfers are in the accounts outside.
-- Takes a JSON array of {transfer_id, reference} and noted_at. Returns nothing.
insert into ledger.reference (transfer_id, reference, noted_at)
select w.transfer_id, w.reference, %(noted_at)s
from jsonb_to_recordset(%(references)s) as w(transfer_id bigint, reference text)
order by w.transfer_id
