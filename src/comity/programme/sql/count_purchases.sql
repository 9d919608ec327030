-- How many purchases of members counted before, whatever they gave.
-- Takes member_ids, outcomes. Returns member_id, purchase_count. Relies on earning_in_window.
select member_id, count(*) as purchase_count from programme.earning
where member_id = any(%(member_ids)s::bigint[]) and outcome = any(%(outcomes)s::text[])
group by member_id
