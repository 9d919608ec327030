-- Keep living profiles from being merged until the transaction ends.
-- Takes profile ids. Returns those that live once we hold them.
select profile_id from identity.profile
where profile_id = any(%(profile_ids)s::uuid[]) and merged_into is null
order by profile_id
for share
