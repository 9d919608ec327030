-- A read or a write failed as a whole.
-- Takes system, is_write, message, blocked_until, now.
update systems.system set
    read_error_at = case when %(is_write)s then read_error_at else %(now)s end,
    read_error = case when %(is_write)s then read_error else %(message)s end,
    write_error_at = case when %(is_write)s then %(now)s else write_error_at end,
    write_error = case when %(is_write)s then %(message)s else write_error end,
    failures_in_row = failures_in_row + 1,
    blocked_until = %(blocked_until)s
where system = %(system)s
