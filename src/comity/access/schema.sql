-- What the migrations of this room add up to. Written by `make schemas`; edit the migrations instead.
create schema access;

create table access.api_key (
    prefix text not null,
    secret_sha256 bytea not null,
    name text not null,
    scopes text[] not null,
    created_at timestamp with time zone not null,
    expires_at timestamp with time zone not null,
    revoked_at timestamp with time zone,
    constraint api_key_pkey PRIMARY KEY (prefix)
);
