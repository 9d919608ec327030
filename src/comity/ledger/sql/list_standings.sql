-- What holders can do with their points on a day.
-- Takes account ids and day. Returns Standing of those that are holders; what is owed cannot be spent, and what has
-- expired by that day is not there any more, booked or not.
select
    a.account_id, a.owed,
    (a.balance - coalesce(sum(h.rest) filter (where h.rest > 0 and h.expires_on <= %(day)s), 0))::bigint as balance,
    greatest(0, least(a.balance, coalesce(sum(h.rest) filter (
        where h.rest > 0 and (h.expires_on is null or h.expires_on > %(day)s)
          and (h.available_from is null or h.available_from <= %(day)s)
    ), 0)))::bigint as spendable,
    coalesce(sum(h.rest) filter (
        where h.available_from > %(day)s and (h.expires_on is null or h.expires_on > %(day)s)
    ), 0)::bigint as pending,
    coalesce(sum(h.rest) filter (where h.rest > 0 and h.expires_on <= %(day)s), 0)::bigint as expired,
    coalesce((
        select r.balance
        from ledger.account r
        where (r.owner, r.unit, r.kind, r.book) = ('account:' || a.account_id, a.unit, 'reserved', 'points')
    ), 0) as reserved
from ledger.account a
left join ledger.holding h using (account_id)
where a.account_id = any(%(account_ids)s::bigint[]) and a.book = 'points' and a.balance is not null
group by a.account_id
