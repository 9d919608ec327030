-- Note that somebody has left a pool.
-- Takes pool_member_ids and the time. Returns nothing.
update programme.pool_member set left_at = %(now)s where pool_member_id = any(%(pool_member_ids)s::bigint[])
