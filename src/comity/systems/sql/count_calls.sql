-- Add calls to a day's count and return the count.
-- Takes system, counted_on, calls.
insert into systems.call_count as c (system, counted_on, calls) values (%(system)s, %(counted_on)s, %(calls)s)
on conflict (system, counted_on) do update set calls = c.calls + excluded.calls
returning calls
