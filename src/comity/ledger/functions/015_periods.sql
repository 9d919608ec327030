-- Until when the books of each unit are closed, for those that ever were.
create or replace view ledger.v_period as
select distinct on (book, unit) book, unit, locked_through
from ledger.period_lock
order by book, unit, period_lock_id desc;
