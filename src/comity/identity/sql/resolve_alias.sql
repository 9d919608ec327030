-- Follow merges to the living profile. Takes a profile id. Returns its end; no row when it is unknown.
with recursive step as (
    select profile_id, merged_into from identity.profile where profile_id = %(profile_id)s
    union
    select p.profile_id, p.merged_into from step s join identity.profile p on p.profile_id = s.merged_into
)
select profile_id from step where merged_into is null
