-- Mark systems that are configured no longer.
-- Takes kept (names).
update systems.system set state = 'removed' where system <> all(%(kept)s::text[]) and state <> 'removed'
