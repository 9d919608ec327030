-- Forget what records said.
-- Takes record ids; returns the profiles that lost a record.
with dropped as (
    delete from profile.observation where record_id = any(%(record_ids)b) returning profile_id
)
select distinct profile_id from dropped
