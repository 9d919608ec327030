-- Open lots that would expire later by their member's last activity before they do.
-- Takes programme, today, timezone, after and at_most (null: none) as intervals, what counts (purchases, earnings,
-- redemptions), limit_max. Returns HeldLot. Relies on earning_in_window, transfer_debits and transfer_credits.
select
    m.profile_id, h.lot_id, l.effective_on as earned_on, h.expires_on, nullif(h.available_from, 'infinity') as available_from,
    coalesce(h.available_from = 'infinity', false) as is_pending, a.day
from programme.member m
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
                   or %(earnings)s::boolean and e.points > 0)
            order by e.effective_on desc
            limit 1
        ),
        case when not %(redemptions)s::boolean then null
            when r.redeemed_on < h.expires_on then r.redeemed_on
            else (
                select max(t.effective_on)
                from ledger.v_entry t
                where t.account_id = m.account_id and t.balance_after is not null and t.kind in ('redeem', 'reward')
                  and t.effective_on < h.expires_on
            ) end
    ) as day
) a
where m.programme = %(programme)s and m.merged_into is null and h.rest > 0 and a.day >= l.effective_on
  and (a.day + %(after)s::interval)::date > h.expires_on
  and (%(at_most)s::interval is null or h.expires_on < (l.effective_on + %(at_most)s::interval)::date)
order by h.lot_id
limit %(limit_max)s
