-- A key by its prefix.
-- Takes prefix.
select prefix, secret_sha256, name, scopes, created_at, expires_at, revoked_at from access.api_key where prefix = %(prefix)s
