-- Systems are gone: nobody is stale there any more.
-- Takes kept (names of the systems that stay).
delete from outbox.stale where not system = any(%(kept)s::text[])
