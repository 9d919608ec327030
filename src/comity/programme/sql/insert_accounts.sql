-- Note where members hold points of the kinds after the first.
-- Takes a JSON array of {member_id, kind, account_id}. Returns nothing.
insert into programme.member_account (account_id, member_id, kind)
select w.account_id, w.member_id, w.kind
from jsonb_to_recordset(%(accounts)s) as w(member_id bigint, kind text, account_id bigint)
order by w.member_id, w.kind
on conflict (account_id) do nothing
