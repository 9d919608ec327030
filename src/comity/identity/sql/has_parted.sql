-- True when a profile was parted from another by a steward, and that was the last that happened between them.
-- Takes profile_id and other_profile_id. Relies on history_of_profile.
select exists (
    select
    from (
        select is_merge, source
        from identity.history
        where (profile_id, other_profile_id) in (
            (%(profile_id)s::uuid, %(other_profile_id)s::uuid), (%(other_profile_id)s::uuid, %(profile_id)s::uuid))
        order by history_id desc
        limit 1
    ) last
    where not last.is_merge and last.source = 'steward'
) as has_parted
