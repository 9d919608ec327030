-- Find living profiles by one identifier. Takes rule (or @attribute) and value. Relies on the key of identifier.
select distinct r.profile_id
from identity.identifier i
join identity.record r using (record_id)
where i.rule = %(rule)s and i.value = %(value)s
order by r.profile_id
limit %(limit)s
