create schema identity;

-- One person. The path of `merged_into` always ends at a living profile.
create table identity.profile (
    profile_id uuid primary key,
    founder_record_id bigint not null,
    merged_into uuid references identity.profile (profile_id) deferrable initially deferred,
    created_at timestamptz not null,
    constraint profile_is_no_alias_of_itself check (merged_into <> profile_id)
);
create index profile_by_founder on identity.profile (founder_record_id);
create index profile_by_survivor on identity.profile (merged_into) where merged_into is not null;

-- One object in one system and the person it belongs to. `features` are the canonical values matching looks at.
create table identity.record (
    record_id bigint generated always as identity primary key,
    system text not null,
    stream text not null,
    external_id text collate "C" not null,
    profile_id uuid not null,
    features json not null,
    match_hash bigint not null,
    is_deleted boolean not null default false,
    linked_at timestamptz not null,
    rule text not null,
    -- The id first: it alone tells nearly all records apart.
    constraint record_once unique (external_id, stream, system)
) with (fillfactor = 85);
create index record_by_profile on identity.record (profile_id);

-- Keys of living records: a digest of what makes the key and of its value, since two numbers are a quarter of the work
-- that two texts are. `rule_tag` tells which definition made it: keys of another one are never asked for and swept.
create table identity.identifier (
    key_hash bigint not null,
    record_id bigint not null,
    rule_tag integer not null,
    primary key (key_hash, record_id)
);

-- Links that hold people together, one less than a profile has records, with their evidence. record_a < record_b.
create table identity.edge (
    record_a bigint not null,
    record_b bigint not null,
    rule text collate "C" not null,
    value text collate "C" not null,
    match_hash bigint not null,
    linked_at timestamptz not null,
    primary key (record_a, record_b),
    constraint edge_in_order check (record_a < record_b)
);
create index edge_by_second on identity.edge (record_b);
create index edge_by_evidence on identity.edge (value, rule);

-- What people (or the vendor) decided about a pair of records: the same person, or not. record_a < record_b.
create table identity.decision (
    record_a bigint not null,
    record_b bigint not null,
    is_same boolean not null,
    source text not null,
    reason text not null,
    decided_at timestamptz not null,
    primary key (record_a, record_b),
    constraint decision_in_order check (record_a < record_b)
);
create index decision_by_second on identity.decision (record_b);

-- Who became one person and who was parted again, by whom and why. Added to, never changed.
create table identity.history (
    history_id bigint generated always as identity primary key,
    is_merge boolean not null,
    -- The one that became an alias, or came to be a person of their own; and the other one.
    profile_id uuid not null,
    other_profile_id uuid not null,
    -- rules, steward or vendor; the actor is a person, or the system that merged two of its records.
    source text not null,
    actor text not null,
    reason text not null,
    happened_at timestamptz not null
);
create index history_of_profile on identity.history (profile_id, history_id);
create index history_of_other on identity.history (other_profile_id, history_id);

-- Doubtful links for a steward. Pairs have record_a < record_b; a shared value has no records.
create table identity.review (
    review_id bigint generated always as identity primary key,
    kind text not null check (kind in ('shared_value', 'cardinality', 'conflict', 'too_large')),
    rule text not null,
    value text not null,
    record_a bigint not null default 0,
    record_b bigint not null default 0,
    detail jsonb not null,
    opened_at timestamptz not null,
    closed_at timestamptz,
    constraint review_once unique (kind, rule, value, record_a, record_b)
);
create index review_open on identity.review (review_id) where closed_at is null;
create index review_by_first on identity.review (record_a) where closed_at is null;
create index review_by_second on identity.review (record_b) where closed_at is null;
