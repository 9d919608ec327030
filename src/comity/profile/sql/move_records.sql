-- Give records to other profiles.
-- Takes arrays of equal length; returns the profile each record that moved had before and has now.
with moved as (
    select o.record_id, o.profile_id as source_profile_id, m.profile_id as target_profile_id
    from unnest(%(record_ids)b::bigint[], %(profile_ids)b::uuid[]) as m(record_id, profile_id)
    join profile.observation o using (record_id)
    where o.profile_id <> m.profile_id
    order by o.record_id
    for no key update of o
)
update profile.observation o set profile_id = m.target_profile_id
from moved m
where o.record_id = m.record_id
returning m.source_profile_id, m.target_profile_id
