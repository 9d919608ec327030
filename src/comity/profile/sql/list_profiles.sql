-- Return golden rows with all their columns.
-- Takes profile ids.
select * from profile.golden where profile_id = any(%(profile_ids)b)
