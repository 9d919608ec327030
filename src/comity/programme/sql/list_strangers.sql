-- People who are not members of a programme yet.
-- Takes programme, after_profile_id, limit_max. Relies on the unique key of members.
select p.profile_id
from profile.v_profile p
where p.profile_id > %(after_profile_id)s::uuid and not exists (
    select from programme.member m where m.profile_id = p.profile_id and m.programme = %(programme)s
)
order by p.profile_id
limit %(limit_max)s::int
