create schema access;

create table access.api_key (
    prefix text primary key,
    secret_sha256 bytea not null,
    name text not null,
    scopes text[] not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    revoked_at timestamptz
);
