-- What caps had counted of a member's transfers before a merge does not count for who stood for them any more.
-- Takes member_id and holder_member_id.
update programme.counter c set amount = greatest(0, c.amount - k.amount)
from programme.counter k
where k.member_id = %(member_id)s and c.member_id = %(holder_member_id)s and k.counter like 'transfer.%%'
  and (c.counter, c.period) = (k.counter, k.period)
