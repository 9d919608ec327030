-- Forget what was written into records.
-- Takes record ids.
update profile.observation
set written = '{}', written_at = null
where record_id = any(%(record_ids)b) and written <> '{}'
