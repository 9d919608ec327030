-- A page of a programme's living members.
-- Takes programme, after_member_id and limit_max. Returns member ids in order. Relies on member_in_order.
select member_id
from programme.member
where programme = %(programme)s and merged_into is null and member_id > %(after_member_id)s
order by member_id
limit %(limit_max)s
