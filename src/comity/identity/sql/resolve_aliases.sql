-- Follow merges of several profiles. Takes profile ids. Returns each known one with the living profile it leads to.
with recursive step as (
    select profile_id as source, profile_id, merged_into
    from identity.profile where profile_id = any(%(profile_ids)s::uuid[])
    union
    select s.source, p.profile_id, p.merged_into from step s join identity.profile p on p.profile_id = s.merged_into
)
select source, profile_id from step where merged_into is null
