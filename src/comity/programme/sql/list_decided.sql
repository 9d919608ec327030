-- All that was decided of the purchases of a member, given one of them.
-- Takes purchase_id, programme. Returns Decided. Relies on earning_in_window.
select
    e.purchase_id, m.profile_id, p.occurred_at, p.amount_minor, p.currency, e.points, e.further_points, e.outcome, e.effective_on,
    e.earned_at, p.is_cancelled, p.details, coalesce(e.drawn, '[]') as drawn, array(
        select jsonb_build_object(
            'amount_minor', r.amount_minor, 'lines', r.details -> 'lines', 'occurred_at', r.occurred_at)
        from activity.v_return r
        where r.purchase_id = p.purchase_id and r.currency = p.currency
        order by r.occurred_at, r.business_key
    ) as returns, coalesce((
        select jsonb_object_agg(v.name, v.happened_at) from activity.v_event v where v.purchase_id = p.purchase_id
    ), '{}') as events
from programme.earning asked
join programme.earning e on e.member_id = asked.member_id
join programme.member m on m.member_id = e.member_id
join activity.v_purchase p on p.purchase_id = e.purchase_id
where asked.purchase_id = %(purchase_id)s and asked.programme = %(programme)s and e.programme = %(programme)s
order by e.earned_at, p.occurred_at, e.purchase_id
