-- Let profiles that are no living members stand for the members they were merged into; the last merge counts.
-- Takes programme, a JSON array of {profile_id, member_id} and merged_at. Returns nothing.
insert into programme.member (programme, profile_id, enrolled_at, merged_into, merged_at)
select %(programme)s, w.profile_id, %(merged_at)s, w.member_id, %(merged_at)s
from jsonb_to_recordset(%(aliases)s) as w(profile_id uuid, member_id bigint)
order by w.profile_id
on conflict (profile_id, programme) do update set merged_into = excluded.merged_into
where member.merged_into <> excluded.merged_into
