-- A system that was removed starts from the beginning should it ever come back.
-- Takes kept (names).
delete from systems.cursor where system <> all(%(kept)s::text[])
