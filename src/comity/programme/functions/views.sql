-- Living members with what they hold, for conditions, mappings and rooms downstream: `points` can be spent (below zero
-- they are owed), `pending` not yet. They are of the first kind; `further` has those of the others, by kind (null where
-- there is one kind).
create or replace view programme.v_member as
select
    m.profile_id, m.programme, m.tier, b.balance - w.pending as points, w.pending, m.qualifying_points, m.enrolled_at,
    m.last_redemption_at, m.tier_since, m.account_id, m.member_id,
    p.kind as first_kind, p.is_spendable,
    case when p.further_kinds is not null then (
        select jsonb_object_agg(
            k.kind, jsonb_build_object(
                'points', coalesce(f.balance - u.pending, 0), 'pending', u.pending, 'account_id', a.account_id,
                'is_spendable', k.told -> 'is_spendable'))
        from jsonb_each(p.further_kinds) as k(kind, told)
        left join programme.member_account a on a.member_id = m.member_id and a.kind = k.kind
        left join ledger.v_balance f on f.account_id = a.account_id
        cross join lateral (
            select coalesce(sum(h.rest), 0)::bigint as pending
            from ledger.v_holding h
            where h.account_id = a.account_id and h.available_from > p.released_through
        ) u
    ) end as further
from programme.member m
join programme.programme p on p.programme = m.programme
join ledger.v_balance b on b.account_id = m.account_id
cross join lateral (
    select coalesce(sum(h.rest), 0)::bigint as pending
    from ledger.v_holding h
    where h.account_id = m.account_id and h.available_from > p.released_through
) w
where m.merged_into is null;

-- Pools that somebody is in, and who is told of their points: who has been in it longest.
create or replace view programme.v_pool as
select p.pool_id, p.programme, p.account_id, w.profile_id
from programme.pool p
cross join lateral (
    select h.profile_id
    from programme.pool_member j
    join programme.member o using (member_id)
    join programme.member h on h.member_id = coalesce(o.merged_into, o.member_id)
    where j.pool_id = p.pool_id and j.left_at is null
    order by j.pool_member_id
    limit 1
) w;
