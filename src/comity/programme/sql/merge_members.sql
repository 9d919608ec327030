-- Make members aliases of their survivors: the earnings go along, and who was an alias of the loser is one of the
-- survivor now.
-- Takes a JSON array of {loser_member_id, survivor_member_id, survivor_account_id} merged_at and merged_since. Returns nothing.
with pair as (
    select *
    from jsonb_to_recordset(%(pairs)s) as w(
        loser_member_id bigint, survivor_member_id bigint, survivor_account_id bigint)
), alias as (
    update programme.member m
    set merged_into = p.survivor_member_id,
        merged_at = case when m.member_id = p.loser_member_id then %(merged_at)s else m.merged_at end,
        merged_since = case when m.member_id = p.loser_member_id then %(merged_since)s else m.merged_since end,
        merged_via = case when m.member_id <> p.loser_member_id then m.merged_via else '{}' end || p.survivor_account_id
    from pair p
    where m.member_id = p.loser_member_id or m.merged_into = p.loser_member_id
), earned as (
    update programme.earning e set member_id = p.survivor_member_id
    from pair p
    where e.member_id = p.loser_member_id
)
update programme.member m
set enrolled_at = least(m.enrolled_at, former.enrolled_at),
    last_redemption_at = greatest(m.last_redemption_at, former.last_redemption_at)
from (
    select p.survivor_member_id, min(l.enrolled_at) as enrolled_at, max(l.last_redemption_at) as last_redemption_at
    from pair p
    join programme.member l on l.member_id = p.loser_member_id
    group by p.survivor_member_id
) former
where m.member_id = former.survivor_member_id
