-- Forget schedules of a prefix that are no longer wanted.
-- Takes prefix, kept (names).
delete from kernel.schedule where starts_with(name, %(prefix)s) and name <> all(%(kept)s::text[])
