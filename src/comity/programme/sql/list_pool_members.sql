-- Who is in pools, and who they are now; who was first comes first.
-- Takes pool_ids. Returns PoolSeat.
select j.pool_member_id, j.pool_id, h.member_id, h.profile_id, h.account_id, j.joined_at
from programme.pool_member j
join programme.member o using (member_id)
join programme.member h on h.member_id = coalesce(o.merged_into, o.member_id)
where j.pool_id = any(%(pool_ids)s::bigint[]) and j.left_at is null
order by j.pool_member_id
