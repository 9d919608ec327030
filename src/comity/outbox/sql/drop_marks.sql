-- People were merged: marks of the loser go, the survivor is marked by the caller.
-- Takes profile_ids. Locks in the order in which marks are made.
with gone as materialized (
    select s.system, s.profile_id
    from outbox.stale s
    where s.profile_id = any(%(profile_ids)s::uuid[])
    order by s.profile_id, s.system
    for update of s
)
delete from outbox.stale s
using gone
where s.system = gone.system and s.profile_id = gone.profile_id
