-- Pause a system, or let it go on.
-- Takes system, state.
update systems.system set state = %(state)s where system = %(system)s and state <> 'removed'
