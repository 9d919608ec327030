-- Whether a member has been in a pool.
-- Takes pool_id and member_id. Returns one truth value.
select exists (
    select from programme.pool_member j
    join programme.member o using (member_id)
    where j.pool_id = %(pool_id)s and (o.member_id = %(member_id)s or o.merged_into = %(member_id)s)
)
