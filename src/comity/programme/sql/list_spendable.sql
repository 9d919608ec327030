-- What members can spend and what is pending, as v_member has it.
-- Takes account_ids. Returns (account_id, points, pending).
select account_id, points, pending from programme.v_member where account_id = any(%(account_ids)s::bigint[])
