-- Living members whose tiers may have changed by today though nothing happened.
-- Takes account_ids and the time. Returns (account_id, member_id, programme, the day they were due).
select m.account_id, m.member_id, m.programme, m.tiers_due_on
from programme.member m
join programme.programme p using (programme)
where m.account_id = any(%(account_ids)s::bigint[]) and m.merged_into is null
  and m.tiers_due_on <= (%(now)s::timestamptz at time zone p.timezone)::date
