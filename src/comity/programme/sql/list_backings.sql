-- The living members behind accounts, those they were merged into followed.
-- Takes account_ids. Returns Backing.
with held as (
    select m.account_id, m.member_id, null as kind
    from programme.member m
    where m.account_id = any(%(account_ids)s::bigint[])
    union all
    select a.account_id, a.member_id, a.kind
    from programme.member_account a
    where a.account_id = any(%(account_ids)s::bigint[])
)
select h.account_id, coalesce(s.profile_id, m.profile_id) as profile_id, m.programme, h.kind
from held h
join programme.member m using (member_id)
left join programme.member s on s.member_id = m.merged_into
