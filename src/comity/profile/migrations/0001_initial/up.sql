create schema profile;

-- One row a record: what it says. Each attribute A adds three columns: "A" (the value), "A__at" (when it came about;
-- null: the record never had a value) and "A__seen" (when it was last seen so; null: not since "A__at").
-- A null value with "A__at" set was cleared; a null value with only "A__seen" set was empty from the start.
create table profile.observation (
    record_id bigint primary key,
    profile_id uuid not null,
    system text not null,
    stream text not null,
    external_id text not null,
    -- What Comity wrote into the record and nobody has changed since: {attribute: canonical text}.
    written jsonb not null default '{}',
    written_at timestamptz
) with (fillfactor = 80);
create index observation_by_profile on profile.observation (profile_id);

-- One row a person; each attribute adds its typed column.
create table profile.golden (
    profile_id uuid primary key,
    -- Version of the rules that last changed the row.
    rules_version integer not null,
    updated_at timestamptz not null
) with (fillfactor = 80);
