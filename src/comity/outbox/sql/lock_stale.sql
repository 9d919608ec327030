-- Lock the marks of people in a system, in the order in which marks are made, before some of them end and some are put
-- off: two statements that each lock in order still deadlock with a third one.
-- Takes system, profile_ids. Returns profile_id.
select s.profile_id
from outbox.stale s
where s.system = %(system)s::text and s.profile_id = any(%(profile_ids)s::uuid[])
order by s.profile_id
for update of s
