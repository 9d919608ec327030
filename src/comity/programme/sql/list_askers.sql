-- Who asked for transfers while they were aliases.
-- Takes transfer_ids. Returns (transfer_id, member_id).
select transfer_id, member_id from programme.asked where transfer_id = any(%(transfer_ids)s::bigint[])
