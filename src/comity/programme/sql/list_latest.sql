-- The latest purchase of members so far.
-- Takes member_ids. Returns (member_id, occurred_at, purchase_id). Relies on earning_in_window.
select m.member_id, e.occurred_at, e.purchase_id
from unnest(%(member_ids)s::bigint[]) as m(member_id)
cross join lateral (
    select e.occurred_at, e.purchase_id
    from programme.earning e
    where e.member_id = m.member_id
    order by e.effective_on desc, e.occurred_at desc, e.purchase_id desc
    limit 1
) e
