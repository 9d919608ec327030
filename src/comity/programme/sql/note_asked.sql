-- Note which transfers belong to members who are aliases.
-- Takes a JSON array of {transfer_id, profile_id, programme}. Returns nothing.
insert into programme.asked (transfer_id, member_id)
select w.transfer_id, m.member_id
from jsonb_to_recordset(%(asked)s) as w(transfer_id bigint, profile_id uuid, programme text)
join programme.member m on (m.profile_id, m.programme) = (w.profile_id, w.programme)
on conflict (transfer_id) do nothing
