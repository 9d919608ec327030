-- The merges and partings of a person and of all who were merged into them, oldest first.
-- Takes profile_id (living), after (a history id) and limit. Returns MergeNote. Relies on profile_by_survivor,
-- history_of_profile and history_of_other.
with recursive person as (
    select %(profile_id)s::uuid as profile_id
    union
    select p.profile_id from person s join identity.profile p on p.merged_into = s.profile_id
)
select history_id, is_merge, profile_id, other_profile_id, source, actor, reason, happened_at
from (
    select h.* from person join identity.history h using (profile_id)
    union
    select h.* from person s join identity.history h on h.other_profile_id = s.profile_id
) found
where history_id > %(after)s
order by history_id
limit %(limit)s
