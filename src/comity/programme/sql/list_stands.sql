-- What purchases of members have earned so far.
-- Takes programme, member_ids and purchase_ids (null: all of theirs). Returns Stand without lots.
select e.purchase_id, e.member_id, e.occurred_at, e.effective_on, e.points, e.further_points, e.outcome, e.counted, e.drawn
from programme.earning e
where e.programme = %(programme)s and e.member_id = any(%(member_ids)s::bigint[])
  and (%(purchase_ids)s::bigint[] is null or e.purchase_id = any(%(purchase_ids)s::bigint[]))
order by e.purchase_id
