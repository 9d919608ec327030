-- Where members hold points of the kinds after the first.
-- Takes member_ids. Returns (member_id, kind, account_id).
select member_id, kind, account_id
from programme.member_account
where member_id = any(%(member_ids)s::bigint[])
order by member_id, kind
