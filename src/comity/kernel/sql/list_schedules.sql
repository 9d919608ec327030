-- Schedules whose name begins with a prefix.
-- Takes prefix.
select name, cadence, next_at, last_at from kernel.schedule where starts_with(name, %(prefix)s) order by name
