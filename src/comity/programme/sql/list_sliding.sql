-- Open lots that would expire later by the last activity, before they do, of who has them: of the member, and of what lies
-- in a pool of anybody who is in it. A lot has one expiry wherever its parts are, so the last activity counts.
-- Takes programme, kind of points (null: the first), today, timezone, after and at_most (null: none) as intervals, what
-- counts (purchases, earnings, redemptions, visits), limit_max. Returns HeldLot. Relies on earning_in_window,
-- transfer_debits, transfer_credits and visit_of_profile.
with holder as (
    select m.account_id, m.member_id, m.profile_id, m.account_id as own_account_id, m.last_redemption_at
    from programme.member m
    where m.programme = %(programme)s and m.merged_into is null and %(kind)s::text is null
    union all
    select k.account_id, m.member_id, m.profile_id, m.account_id, m.last_redemption_at
    from programme.member m
    join programme.member_account k using (member_id)
    where m.programme = %(programme)s and m.merged_into is null and k.kind = %(kind)s::text
    union all
    select p.account_id, m.member_id, m.profile_id, m.account_id, m.last_redemption_at
    from programme.pool p
    join programme.pool_member j using (pool_id)
    join programme.member o using (member_id)
    join programme.member m on m.member_id = coalesce(o.merged_into, o.member_id)
    where p.programme = %(programme)s and j.left_at is null and %(kind)s::text is null
)
select distinct on (h.lot_id)
    m.profile_id, h.lot_id, l.effective_on as earned_on, h.expires_on,
    nullif(h.available_from, 'infinity') as available_from,
    coalesce(h.available_from = 'infinity', false) as is_pending, a.day
from holder m
join ledger.v_holding h on h.account_id = m.account_id
join ledger.v_lot l on l.lot_id = h.lot_id
cross join lateral (
    select (m.last_redemption_at at time zone %(timezone)s)::date as redeemed_on
) r
cross join lateral (
    select greatest(
        (
            select e.effective_on
            from programme.earning e
            where e.member_id = m.member_id and e.effective_on < h.expires_on and e.effective_on <= %(today)s
              and (%(purchases)s::boolean and e.outcome in ('earned', 'nothing', 'below_one_point', 'returned', 'lapsed')
                   or %(earnings)s::boolean and (e.points > 0 or e.further_points is not null))
            order by e.effective_on desc
            limit 1
        ),
        (
            select (v.occurred_at at time zone %(timezone)s)::date
            from activity.v_visit v
            where %(visits)s::boolean and v.profile_id = m.profile_id
              and v.occurred_at < (least(h.expires_on, %(today)s::date + 1)::timestamp at time zone %(timezone)s)
            order by v.occurred_at desc
            limit 1
        ),
        case when not %(redemptions)s::boolean then null
            when r.redeemed_on < h.expires_on then r.redeemed_on
            else (
                select max(t.effective_on)
                from (
                    select m.account_id
                    union
                    select m.own_account_id
                    union
                    select k.account_id from programme.member_account k where k.member_id = m.member_id
                ) spent
                join ledger.v_entry t on t.account_id = spent.account_id
                where t.balance_after is not null and t.kind in ('redeem', 'reward') and t.effective_on < h.expires_on
            ) end
    ) as day
) a
where h.rest > 0 and a.day >= l.effective_on
  and (a.day + %(after)s::interval)::date > h.expires_on
  and (%(at_most)s::interval is null or h.expires_on < (l.effective_on + %(at_most)s::interval)::date)
order by h.lot_id, a.day desc, m.member_id
limit %(limit_max)s
