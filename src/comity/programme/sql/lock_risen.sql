-- Aliases whose profile lives again (or, with is_moving, belongs to somebody else now), and who holds what is theirs.
-- Takes programme, profile_ids, is_moving. Returns Risen, locked with all that the holders stand for.
with risen as (
    select m.member_id, m.profile_id, m.account_id, m.merged_into, m.merged_since, m.merged_via
    from programme.member m
    left join identity.v_profile p using (profile_id)
    where m.profile_id = any(%(profile_ids)s::uuid[]) and m.programme = %(programme)s and m.merged_into is not null
      and (%(is_moving)s or p.profile_id is not null and p.merged_into is null)
), locked as (
    select m.member_id, m.profile_id, m.account_id
    from programme.member m
    where m.merged_into = any(array(select merged_into from risen))
       or m.member_id = any(array(select merged_into from risen))
    order by m.member_id
    for update
)
select r.member_id, r.profile_id, r.account_id, r.merged_since, r.merged_via, h.member_id as holder_member_id,
       h.profile_id as holder_profile_id, h.account_id as holder_account_id
from risen r
join locked h on h.member_id = r.merged_into
order by r.member_id
