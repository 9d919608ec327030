-- Let purchases follow merged profiles.
-- Takes a JSON array of {loser_profile_id, survivor_profile_id}. Returns the number of purchases moved.
update activity.purchase p set profile_id = m.survivor_profile_id
from jsonb_to_recordset(%(moves)s) as m(loser_profile_id uuid, survivor_profile_id uuid)
where p.profile_id = m.loser_profile_id
