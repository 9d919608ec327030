-- Let nobody else change who is in a pool.
-- Takes pool_id. Returns it.
select pool_id from programme.pool where pool_id = %(pool_id)s for no key update
