-- Keep profiles from being merged, and from being parted where they are aliases, until the transaction ends.
-- Takes profile ids. Returns those that live once we hold them.
with held as materialized (
    select profile_id, merged_into from identity.profile
    where profile_id = any(%(profile_ids)s::uuid[])
    order by profile_id
    for share
)
select profile_id from held where merged_into is null
