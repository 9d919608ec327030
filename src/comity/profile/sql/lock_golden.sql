-- Lock the golden rows of some profiles, in the order of their ids, before their observations are read.
-- Takes profile ids; returns how many rows there are. Two batches that share a profile thus decide one after the other.
select count(*)
from (
    select from profile.golden where profile_id = any(%(profile_ids)b) order by profile_id for no key update
) as locked
