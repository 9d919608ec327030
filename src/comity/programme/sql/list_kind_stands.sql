-- What members can spend and what is pending of the kinds after the first, told as v_member tells it of the first.
-- Takes account_ids. Returns (account_id, points, pending).
select a.account_id, b.balance - w.pending as points, w.pending
from programme.member_account a
join programme.member m using (member_id)
join programme.programme p on p.programme = m.programme
join ledger.v_balance b on b.account_id = a.account_id
cross join lateral (
    select coalesce(sum(h.rest), 0)::bigint as pending
    from ledger.v_holding h
    where h.account_id = a.account_id and h.available_from > p.released_through
) w
where a.account_id = any(%(account_ids)s::bigint[])
