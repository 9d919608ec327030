-- All systems with their health.
select system, connector, title, state, joined_at, read_ok_at, read_error_at, read_error, write_ok_at, write_error_at,
    write_error, failures_in_row, blocked_until, hooks_refused_count, hook_refused_at, hook_refusal
from systems.system order by joined_at, system
