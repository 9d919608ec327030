-- Memberships of profiles, aliases followed.
-- Takes profile ids and programme (null: all). Returns MemberOf, by profile asked and programme.
select
    a.profile_id as asked_profile_id, m.profile_id, m.programme, m.tier, m.tier_since, m.points, m.pending,
    m.qualifying_points, m.enrolled_at, m.last_redemption_at, m.account_id, m.first_kind,
    m.is_spendable, m.further
from programme.member a
join programme.v_member m on m.member_id = coalesce(a.merged_into, a.member_id)
where a.profile_id = any(%(profile_ids)s::uuid[])
  and (%(programme)s::text is null or a.programme = %(programme)s)
order by a.profile_id, m.programme
