-- Drop the keys that definitions other than these made. Reads the whole table: for a change of the rules.
-- Takes rule_tags.
delete from identity.identifier where rule_tag <> all(%(rule_tags)s::int[])
