-- A read or a write went well.
-- Takes system, is_write, now.
update systems.system set
    read_ok_at = case when %(is_write)s then read_ok_at else %(now)s end,
    write_ok_at = case when %(is_write)s then %(now)s else write_ok_at end,
    failures_in_row = 0, blocked_until = null
where system = %(system)s
