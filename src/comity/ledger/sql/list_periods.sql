-- What closed books and opened them again, newest first; the newest of each unit is in force.
-- Takes limit_max. Returns PeriodLock.
select book, unit, locked_through, locked_at, locked_by, confirmed_by, reason,
       row_number() over (partition by book, unit order by period_lock_id desc) = 1 as is_in_force
from ledger.period_lock
order by period_lock_id desc
limit %(limit_max)s
