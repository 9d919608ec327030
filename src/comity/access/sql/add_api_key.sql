-- Keep a new key's hash.
-- Takes prefix, secret_sha256, name, scopes, created_at, expires_at.
insert into access.api_key (prefix, secret_sha256, name, scopes, created_at, expires_at)
values (%(prefix)s, %(secret_sha256)s, %(name)s, %(scopes)s::text[], %(created_at)s, %(expires_at)s)
