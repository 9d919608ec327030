-- The history of a part of the members, member by member in the order of time: purchases as they are known now, what was
-- redeemed for good, given or taken by hand, and visits, where they count.
-- Takes programme, until, sample_of, part, parts, asks_members, asks_visits. Writes profile_id, purchase_id (null: no
-- purchase), moment, amount in minor units (points that were redeemed or taken, below zero those that were given, 0 for a
-- visit), currency ('by hand' for what was given or taken so; empty for redemptions and visits), whether the hub
-- let the purchase earn in the programme, its details, its returns and its events as PurchaseState has them (null: none),
-- and the kind of points (null: the first).
copy (
    with returned as (
        select
            r.purchase_id, r.currency, jsonb_agg(
                jsonb_build_object(
                    'amount_minor', r.amount_minor, 'lines', r.details -> 'lines', 'occurred_at', r.occurred_at)
                order by r.occurred_at, r.business_key
            ) as returns
        from activity.v_return r
        group by r.purchase_id, r.currency
    ), event as (
        select v.purchase_id, jsonb_object_agg(v.name, v.happened_at) as events from activity.v_event v group by v.purchase_id
    ), owned as (
        -- What was redeemed by somebody who was merged since is the survivor's.
        select m.profile_id, w.account_id, w.kind
        from programme.member h
        join programme.member m on m.member_id = coalesce(h.merged_into, h.member_id)
        cross join lateral (
            select h.account_id, null as kind
            union all
            select a.account_id, a.kind from programme.member_account a where a.member_id = h.member_id
        ) w
        where h.programme = %(programme)s
    ), history as (
        select
            p.profile_id, p.purchase_id, p.occurred_at as happened_at, p.amount_minor as amount, p.currency,
            e.purchase_id is not null as was_member, p.details, r.returns,
            v.events, null as kind
        from activity.v_purchase p
        left join programme.earning e on %(asks_members)s and e.purchase_id = p.purchase_id and e.programme = %(programme)s
        left join returned r on r.purchase_id = p.purchase_id and r.currency = p.currency
        left join event v on v.purchase_id = p.purchase_id
        where not p.is_cancelled
        union all
        select
            o.profile_id, null, t.booked_at, -t.amount, case t.kind when 'adjust' then 'by hand' else '' end, true, null, null,
            null, o.kind
        from owned o
        join ledger.v_entry t using (account_id)
        where (t.kind = 'adjust' or t.kind = 'redeem' and t.amount < 0)
          and not exists (
              select from programme.voucher v
              where v.transfer_id = t.transfer_id and v.state in ('cancelled', 'returned')
          )
        union all
        -- What was captured was spent when it was reserved.
        select o.profile_id, null, c.reserved_at, c.captured, '', true, null, null, null, o.kind
        from owned o
        join ledger.v_capture c using (account_id)
        union all
        select v.profile_id, null, v.occurred_at, 0, '', true, null, null, null, null
        from activity.v_visit v
        where %(asks_visits)s
    )
    select profile_id, purchase_id, happened_at, amount, currency, was_member, details, returns, events, kind
    from history
    cross join lateral (select uuid_hash(profile_id)::bigint + 2147483648 as number) hash
    where happened_at < %(until)s
      and hash.number %% %(sample_of)s::bigint = 0
      and hash.number / %(sample_of)s::bigint %% %(parts)s::bigint = %(part)s::bigint
    order by profile_id, happened_at, purchase_id
) to stdout
