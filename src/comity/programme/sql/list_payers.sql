-- Whose account transfers mean that members asked for while they were aliases.
-- Takes member_ids. Returns (transfer_id, account_id).
select a.transfer_id, m.account_id
from programme.asked a
join programme.member m using (member_id)
where a.member_id = any(%(member_ids)s::bigint[]) and m.account_id is not null
