-- Enrol profiles; who became a member meanwhile is left alone.
-- Takes programme, a JSON array of {member_id, profile_id, account_id}, the lowest levels (tier, further_tiers) of the
-- ladders, their key, and enrolled_at.
-- Returns the profile ids enrolled.
insert into programme.member (
    member_id, programme, profile_id, account_id, enrolled_at, tier, tier_since, further_tiers, ladders_key)
select w.member_id, %(programme)s, w.profile_id, w.account_id, %(enrolled_at)s, %(tier)s::text,
       case when %(tier)s::text is not null then %(enrolled_at)s::timestamptz end,
       %(further_tiers)s::jsonb, %(ladders_key)s
from jsonb_to_recordset(%(members)s) as w(member_id bigint, profile_id uuid, account_id bigint)
order by w.profile_id
on conflict (profile_id, programme) do nothing
returning profile_id
