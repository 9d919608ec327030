-- The history of a part of the members, member by member in the order of time: purchases, and what they redeemed.
-- Takes programme, until, sample_of, part, parts, asks_members. Writes profile_id, purchase_id (null: a redemption), moment, amount in
-- minor units (points of a redemption), currency, and whether the hub let the purchase earn in the programme.
copy (
    with history as (
        select
            p.profile_id, p.purchase_id, p.occurred_at as happened_at, p.amount_minor as amount, p.currency,
            e.purchase_id is not null as was_member
        from activity.v_purchase p
        left join programme.earning e on %(asks_members)s and e.purchase_id = p.purchase_id and e.programme = %(programme)s
        where not p.is_cancelled
        union all
        -- What was redeemed by somebody who was merged since is the survivor's.
        select m.profile_id, null, t.booked_at, -t.amount, '', true
        from programme.member h
        join programme.member m on m.member_id = coalesce(h.merged_into, h.member_id)
        join ledger.v_entry t on t.account_id = h.account_id
        where h.programme = %(programme)s and t.kind = 'redeem' and t.amount < 0
    )
    select profile_id, purchase_id, happened_at, amount, currency, was_member
    from history
    cross join lateral (select uuid_hash(profile_id)::bigint + 2147483648 as number) hash
    where happened_at < %(until)s
      and hash.number %% %(sample_of)s::bigint = 0
      and hash.number / %(sample_of)s::bigint %% %(parts)s::bigint = %(part)s::bigint
    order by profile_id, happened_at, purchase_id
) to stdout
