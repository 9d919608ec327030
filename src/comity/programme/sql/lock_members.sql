-- Find the living members behind profiles, aliases followed, and keep others from changing or merging them.
-- Takes a JSON array of {profile_id, programme} and the time. Returns (place from 0, LockedMember) of those that exist.
-- A member who is being merged meanwhile drops out: look again.
with wish as (
    select w.place, coalesce(m.merged_into, m.member_id) as member_id
    from rows from (jsonb_to_recordset(%(wishes)s) as (profile_id uuid, programme text)) with ordinality
        as w(profile_id, programme, place)
    join programme.member m on (m.profile_id, m.programme) = (w.profile_id, w.programme)
), locked as (
    select m.member_id, m.profile_id, m.programme, m.account_id, m.tier
    from programme.member m
    where m.member_id in (select member_id from wish) and m.merged_into is null
    order by m.member_id
    for no key update
)
select
    w.place - 1, l.member_id, l.profile_id, l.programme, l.account_id, l.tier,
    p.account_id as programme_account_id, (%(now)s::timestamptz at time zone p.timezone)::date as today
from wish w
join locked l using (member_id)
join programme.programme p using (programme)
