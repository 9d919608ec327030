-- Living members with what they hold, for conditions, mappings and rooms downstream.
create or replace view programme.v_member as
select
    m.profile_id, m.programme, m.tier, b.balance as points, m.qualifying_points, m.enrolled_at, m.last_redemption_at,
    m.tier_since, m.account_id
from programme.member m
join ledger.v_balance b using (account_id)
where m.merged_into is null;
