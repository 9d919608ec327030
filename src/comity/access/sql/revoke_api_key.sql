-- Close a key.
-- Takes prefix, now.
update access.api_key set revoked_at = coalesce(revoked_at, %(now)s) where prefix = %(prefix)s
