-- Note that somebody is in a pool: by the membership of who asked, or of who stands for them where that has no account.
-- Takes pool_id, profile_id, programme, member_id and the time. Returns nothing.
insert into programme.pool_member (pool_id, member_id, joined_at)
select %(pool_id)s, case when o.account_id is null then %(member_id)s::bigint else o.member_id end, %(now)s
from programme.member o
where (o.profile_id, o.programme) = (%(profile_id)s, %(programme)s)
