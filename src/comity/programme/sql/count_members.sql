-- Count the living members of all programmes.
-- Returns one number. Relies on member_in_order.
select count(*)::bigint from programme.member where merged_into is null
