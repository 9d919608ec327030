-- People were merged: marks of the loser go, the survivor is marked by the caller.
-- Takes profile_ids.
delete from outbox.stale where profile_id = any(%(profile_ids)s::uuid[])
