-- A page of a programme's living members whose tiers may change today, or were decided by other ladders, locked.
-- Takes programme, today, ladders_key, after_member_id and limit_max. Returns member ids in order.
-- Relies on member_in_order.
select member_id
from programme.member
where programme = %(programme)s and merged_into is null and member_id > %(after_member_id)s
  and (tiers_due_on <= %(today)s or ladders_key is distinct from %(ladders_key)s)
order by member_id
limit %(limit_max)s
for no key update
