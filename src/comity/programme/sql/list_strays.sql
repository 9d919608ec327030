-- Aliases with an account whose profile was merged into somebody else than the member who stands for them.
-- Takes programme and a JSON array of {loser_profile_id, survivor_profile_id}. Returns profile ids.
select m.profile_id
from jsonb_to_recordset(%(moves)s) as w(loser_profile_id uuid, survivor_profile_id uuid)
join programme.member m on (m.profile_id, m.programme) = (w.loser_profile_id, %(programme)s)
left join programme.member s on (s.profile_id, s.programme) = (w.survivor_profile_id, %(programme)s)
where m.merged_into is not null and m.account_id is not null
  and m.merged_into is distinct from coalesce(s.merged_into, s.member_id)
