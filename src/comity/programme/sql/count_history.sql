-- How many purchases a simulation goes through, about: whoever made them.
-- Takes until. Returns one number.
select count(*)::bigint from activity.v_purchase where occurred_at < %(until)s
