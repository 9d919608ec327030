-- Living members with what they hold, for conditions, mappings and rooms downstream: `points` can be spent (below zero
-- they are owed), `pending` not yet.
create or replace view programme.v_member as
select
    m.profile_id, m.programme, m.tier, b.balance - w.pending as points, w.pending, m.qualifying_points, m.enrolled_at,
    m.last_redemption_at, m.tier_since, m.account_id, m.member_id
from programme.member m
join programme.programme p on p.programme = m.programme
join ledger.v_balance b on b.account_id = m.account_id
cross join lateral (
    select coalesce(sum(h.rest), 0)::bigint as pending
    from ledger.v_holding h
    where h.account_id = m.account_id and h.available_from > p.released_through
) w
where m.merged_into is null;
