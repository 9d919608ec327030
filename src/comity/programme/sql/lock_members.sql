-- Find and hold the living members behind profiles; see functions/lock_members.sql.
-- Takes a JSON array of {profile_id, programme} and the time. Returns (place from 0, LockedMember) of those that exist.
select place, member_id, profile_id, programme, account_id, tier, further_tiers, programme_account_id, today,
       first_kind, is_spendable, further_kinds, accounts, is_tier_due
from programme.lock_members(%(wishes)s, %(now)s)
