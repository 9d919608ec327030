-- The accounts of the kinds after the first, beside those of the first kind.
-- Takes account_ids (of the first kind). Returns (kind, account_id of the first kind, account_id of this kind).
select k.kind, m.account_id as first_account_id, k.account_id
from programme.member m
join programme.member_account k using (member_id)
where m.account_id = any(%(account_ids)s::bigint[])
order by k.kind, m.account_id
