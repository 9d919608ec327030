-- List living records whose keys were made by other match rules. Takes the hash of the rules in force, the record to go
-- on after, and a limit. Relies on the primary key of record.
select record_id, system, stream, external_id
from identity.record
where record_id > %(after)s and match_hash <> %(match_hash)s and not is_deleted
order by record_id
limit %(limit)s
