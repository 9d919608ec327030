-- Find living profiles by one identifier, each with the features of the record that has it, which tell whether it does.
-- Takes the digest of the key. Relies on the primary key of identifier.
select r.profile_id, r.features
from identity.identifier i
join identity.record r using (record_id)
where i.key_hash = %(key_hash)s
order by r.profile_id
limit %(limit)s
