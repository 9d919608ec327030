-- Purchases with points that wait for an event which should have come by today.
-- Takes programme, today, after_purchase_id, limit_max. Returns purchase ids, in order. Relies on earned_lot_waiting.
select distinct purchase_id
from programme.earned_lot
where programme = %(programme)s and awaits is not null and points > 0 and waits_until <= %(today)s
  and purchase_id > %(after_purchase_id)s
order by purchase_id
limit %(limit_max)s
