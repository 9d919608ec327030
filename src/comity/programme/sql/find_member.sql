-- The living member behind a profile, not locked.
-- Takes profile_id, programme and the time. Returns LockedMember or nothing.
select m.member_id, m.profile_id, m.programme, m.account_id, m.tier, m.further_tiers,
       p.account_id as programme_account_id, (%(now)s::timestamptz at time zone p.timezone)::date as today,
       p.kind as first_kind, p.is_spendable, p.further_kinds,
       case when p.further_kinds is not null then (
           select jsonb_object_agg(k.kind, k.account_id) from programme.member_account k where k.member_id = m.member_id
       ) end as accounts,
       coalesce(m.tiers_due_on <= (%(now)s::timestamptz at time zone p.timezone)::date, false) as is_tier_due
from programme.member a
join programme.member m on m.member_id = coalesce(a.merged_into, a.member_id)
join programme.programme p on p.programme = m.programme
where a.profile_id = %(profile_id)s and a.programme = %(programme)s
