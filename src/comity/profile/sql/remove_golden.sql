-- Remove the golden rows of those profiles that no record belongs to.
-- Takes profile ids; returns those whose row was removed.
delete from profile.golden g
where g.profile_id = any(%(profile_ids)b)
    and not exists (select from profile.observation o where o.profile_id = g.profile_id)
returning g.profile_id
