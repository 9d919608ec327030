-- What the migrations of this room add up to. Written by `make schemas`; edit the migrations instead.
create schema outbox;

create sequence outbox.mark_sequence;

create table outbox.base (
    record_id bigint not null,
    system text not null,
    fields jsonb not null,
    written_at timestamp with time zone not null,
    writes_in_hour integer not null default 1,
    hour_started_at timestamp with time zone not null,
    doubted_count bigint not null default 0,
    settled_count bigint not null default 0,
    shown bigint,
    constraint base_pkey PRIMARY KEY (record_id)
) with (fillfactor=80);
CREATE INDEX base_by_system ON outbox.base USING btree (system, written_at);

create table outbox.change (
    change_id bigint not null generated always as identity,
    xid xid8 not null default pg_current_xact_id(),
    profile_id uuid,
    system text,
    record_id bigint,
    shown bigint,
    lane smallint not null,
    constraint change_pkey PRIMARY KEY (xid, change_id)
);

create table outbox.flight (
    record_id bigint not null,
    written jsonb not null,
    constraint flight_pkey PRIMARY KEY (record_id)
);

create table outbox.stale (
    system text not null,
    profile_id uuid not null,
    lane smallint not null,
    mark bigint not null default nextval('outbox.mark_sequence'::regclass),
    due_at timestamp with time zone not null,
    attempts integer not null default 0,
    parked_code text,
    parked_message text,
    parked_at timestamp with time zone,
    waiting_since timestamp with time zone not null,
    constraint stale_pkey PRIMARY KEY (profile_id, system)
) with (fillfactor=70);
CREATE INDEX stale_held ON outbox.stale USING btree (system, due_at) WHERE ((parked_code IS NULL) AND (lane = 5));
CREATE INDEX stale_parked ON outbox.stale USING btree (system, parked_at) WHERE (parked_code IS NOT NULL);
CREATE INDEX stale_to_claim ON outbox.stale USING btree (system, lane, mark) WHERE (parked_code IS NULL);
