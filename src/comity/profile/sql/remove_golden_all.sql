-- Remove every golden row that no record belongs to.
delete from profile.golden g
where not exists (select from profile.observation o where o.profile_id = g.profile_id)
