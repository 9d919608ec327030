-- All keys, newest first.
select prefix, secret_sha256, name, scopes, created_at, expires_at, revoked_at from access.api_key order by created_at desc
