-- Draw member ids for profiles that are not members yet.
-- Takes programme and profile ids. Returns (profile_id, member_id).
select w.profile_id, nextval('programme.member_member_id_seq')
from (
    select distinct u.profile_id
    from unnest(%(profile_ids)s::uuid[]) as u(profile_id)
    where not exists (
        select from programme.member m where m.profile_id = u.profile_id and m.programme = %(programme)s
    )
) w
