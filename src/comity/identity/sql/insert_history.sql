-- Note who was merged and who was parted.
-- Takes a JSON array of {is_merge, profile_id, other_profile_id}, source, actor, reason and happened_at. Returns nothing.
insert into identity.history (is_merge, profile_id, other_profile_id, source, actor, reason, happened_at)
select w.is_merge, w.profile_id, w.other_profile_id, %(source)s, %(actor)s, %(reason)s, %(happened_at)s
from jsonb_to_recordset(%(notes)s) as w(is_merge boolean, profile_id uuid, other_profile_id uuid)
