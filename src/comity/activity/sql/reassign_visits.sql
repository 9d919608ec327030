-- Let visits follow merged profiles.
-- Takes a JSON array of {loser_profile_id, survivor_profile_id}.
update activity.visit v set profile_id = m.survivor_profile_id
from jsonb_to_recordset(%(moves)s) as m(loser_profile_id uuid, survivor_profile_id uuid)
where v.profile_id = m.loser_profile_id
