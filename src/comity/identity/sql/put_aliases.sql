-- Merge profiles into others, or (null) bring them back to life. Takes arrays of equal length.
update identity.profile p
set merged_into = w.merged_into
from unnest(%(profile_ids)s::uuid[], %(merged_into)s::uuid[]) as w (profile_id, merged_into)
where p.profile_id = w.profile_id
