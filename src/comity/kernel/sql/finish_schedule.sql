-- Note that a schedule's work was done and when it is due again.
-- Takes name, last_at, next_at.
update kernel.schedule set last_at = %(last_at)s, next_at = %(next_at)s where name = %(name)s
