-- What the migrations of this room add up to. Written by `make schemas`; edit the migrations instead.
create schema profile;

create table profile.golden (
    profile_id uuid not null,
    rules_version integer not null,
    updated_at timestamp with time zone not null,
    constraint golden_pkey PRIMARY KEY (profile_id)
) with (fillfactor=90);

create table profile.observation (
    record_id bigint not null,
    profile_id uuid not null,
    system text not null,
    stream text not null,
    external_id text not null,
    written jsonb not null default '{}'::jsonb,
    written_at timestamp with time zone,
    constraint observation_pkey PRIMARY KEY (record_id)
) with (fillfactor=90);
CREATE INDEX observation_by_profile ON profile.observation USING btree (profile_id);

-- view v_profile: profile_id uuid, updated_at timestamp with time zone
