-- Forget aliases that never had an account.
-- Takes member_ids.
delete from programme.member where member_id = any(%(member_ids)s::bigint[]) and account_id is null
