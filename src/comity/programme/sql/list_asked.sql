-- Transfers that members asked for while they were aliases.
-- Takes member_ids. Returns transfer ids.
select transfer_id from programme.asked where member_id = any(%(member_ids)s::bigint[])
