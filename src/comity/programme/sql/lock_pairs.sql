-- The members that profile merges concern, locked.
-- Takes programme and a JSON array of {loser_profile_id, survivor_profile_id}. Returns MergePair: member ids are null
-- where there is none; those of living members only (a loser that is an alias already has been merged before).
with pair as (
    select w.loser_profile_id, w.survivor_profile_id,
           (select m.member_id from programme.member m
            where m.profile_id = w.loser_profile_id and m.programme = %(programme)s) as loser_member_id,
           (select coalesce(m.merged_into, m.member_id) from programme.member m
            where m.profile_id = w.survivor_profile_id and m.programme = %(programme)s) as survivor_member_id
    from jsonb_to_recordset(%(moves)s) as w(loser_profile_id uuid, survivor_profile_id uuid)
), locked as (
    -- Aliases of the losers too: they will be pointed to the survivors, and all locks are taken in one order. Arrays, since
    -- `or` between two subqueries would read all members.
    select m.member_id, m.account_id, m.merged_into
    from programme.member m
    where m.member_id = any(array(select loser_member_id from pair union select survivor_member_id from pair))
       or m.merged_into = any(array(select loser_member_id from pair))
    order by m.member_id
    for update
)
select p.loser_profile_id, p.survivor_profile_id, l.member_id as loser_member_id, l.account_id as loser_account_id,
       s.member_id as survivor_member_id, s.account_id as survivor_account_id
from pair p
left join locked l on l.member_id = p.loser_member_id and l.merged_into is null
left join locked s on s.member_id = p.survivor_member_id and s.merged_into is null
order by p.loser_profile_id
