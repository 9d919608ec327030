-- What the migrations of this room add up to. Written by `make schemas`; edit the migrations instead.
create schema identity;

create sequence identity.place_sequence;

create table identity.decision (
    record_a bigint not null,
    record_b bigint not null,
    is_same boolean not null,
    source text not null,
    reason text not null,
    decided_at timestamp with time zone not null,
    constraint decision_pkey PRIMARY KEY (record_a, record_b),
    constraint decision_in_order CHECK ((record_a < record_b))
);
CREATE INDEX decision_by_second ON identity.decision USING btree (record_b);

create table identity.edge (
    record_a bigint not null,
    record_b bigint not null,
    rule text not null,
    value text not null,
    match_hash bigint not null,
    linked_at timestamp with time zone not null,
    constraint edge_pkey PRIMARY KEY (record_a, record_b),
    constraint edge_in_order CHECK ((record_a < record_b))
);
CREATE INDEX edge_by_evidence ON identity.edge USING btree (value, rule);
CREATE INDEX edge_by_second ON identity.edge USING btree (record_b);

create table identity.history (
    history_id bigint not null generated always as identity,
    is_merge boolean not null,
    profile_id uuid not null,
    other_profile_id uuid not null,
    source text not null,
    actor text not null,
    reason text not null,
    happened_at timestamp with time zone not null,
    constraint history_pkey PRIMARY KEY (history_id)
);
CREATE INDEX history_of_other ON identity.history USING btree (other_profile_id, history_id);
CREATE INDEX history_of_profile ON identity.history USING btree (profile_id, history_id);

create table identity.identifier (
    key_hash bigint not null,
    record_id bigint not null,
    rule_tag integer not null,
    constraint identifier_pkey PRIMARY KEY (key_hash, record_id)
) with (fillfactor=90);

create table identity.profile (
    profile_id uuid not null,
    founder_record_id bigint not null,
    merged_into uuid,
    created_at timestamp with time zone not null,
    constraint profile_pkey PRIMARY KEY (profile_id),
    constraint profile_merged_into_fkey FOREIGN KEY (merged_into) REFERENCES identity.profile(profile_id) DEFERRABLE INITIALLY DEFERRED,
    constraint profile_is_no_alias_of_itself CHECK ((merged_into <> profile_id))
);
CREATE INDEX profile_by_founder ON identity.profile USING btree (founder_record_id);
CREATE INDEX profile_by_survivor ON identity.profile USING btree (merged_into) WHERE (merged_into IS NOT NULL);

create table identity.record (
    record_id bigint not null generated always as identity,
    system text not null,
    stream text not null,
    external_id text not null,
    profile_id uuid not null,
    features json not null,
    match_hash bigint not null,
    is_deleted boolean not null default false,
    linked_at timestamp with time zone not null,
    rule text not null,
    constraint record_pkey PRIMARY KEY (record_id),
    constraint record_once UNIQUE (external_id, stream, system)
) with (fillfactor=90);
CREATE INDEX record_by_profile ON identity.record USING btree (profile_id);

create table identity.review (
    review_id bigint not null generated always as identity,
    kind text not null,
    rule text not null,
    value text not null,
    record_a bigint not null default 0,
    record_b bigint not null default 0,
    detail jsonb not null,
    opened_at timestamp with time zone not null,
    closed_at timestamp with time zone,
    constraint review_pkey PRIMARY KEY (review_id),
    constraint review_once UNIQUE (kind, rule, value, record_a, record_b),
    constraint review_kind_check CHECK ((kind = ANY (ARRAY['shared_value'::text, 'cardinality'::text, 'conflict'::text, 'too_large'::text])))
);
CREATE INDEX review_by_first ON identity.review USING btree (record_a) WHERE (closed_at IS NULL);
CREATE INDEX review_by_second ON identity.review USING btree (record_b) WHERE (closed_at IS NULL);
CREATE INDEX review_open ON identity.review USING btree (review_id) WHERE (closed_at IS NULL);

create table identity.turn (
    is_only boolean not null default true,
    number bigint not null,
    constraint turn_pkey PRIMARY KEY (is_only),
    constraint turn_is_only CHECK (is_only)
) with (fillfactor=10);

-- view v_profile: profile_id uuid, merged_into uuid, created_at timestamp with time zone
-- view v_record: record_id bigint, system text, stream text, external_id text, profile_id uuid, is_deleted boolean, linked_at timestamp with time zone, rule text
-- function as_texts(joined text): text[]
