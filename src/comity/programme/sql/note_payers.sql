-- Note which transfers were paid for members who are aliases.
-- Takes a JSON array of {transfer_id, payer_account_id} and member_ids. Returns nothing.
insert into programme.asked (transfer_id, member_id)
select w.transfer_id, m.member_id
from jsonb_to_recordset(%(charges)s) as w(transfer_id bigint, payer_account_id bigint)
join programme.member m on m.account_id = w.payer_account_id
where m.member_id = any(%(member_ids)s::bigint[])
on conflict (transfer_id) do nothing
