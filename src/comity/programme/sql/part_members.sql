-- Let aliases whose profile lives again be members of their own; those that never had an account are forgotten.
-- Takes programme, profile_ids, tier (of somebody without points) and parted_at. Returns the profiles of the former.
with risen as (
    select m.member_id, m.account_id
    from programme.member m
    join identity.v_profile p using (profile_id)
    where m.profile_id = any(%(profile_ids)s::uuid[]) and m.programme = %(programme)s
      and m.merged_into is not null and p.merged_into is null
    order by m.member_id
    for update of m
), forgotten as (
    delete from programme.member m using risen r where m.member_id = r.member_id and r.account_id is null
)
update programme.member m
set merged_into = null, merged_at = null, tier = %(tier)s::text, qualifying_points = 0,
    tier_since = case when %(tier)s::text is not null then %(parted_at)s::timestamptz end
from risen r
where m.member_id = r.member_id and r.account_id is not null
returning m.profile_id
