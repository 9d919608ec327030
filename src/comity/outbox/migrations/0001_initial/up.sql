create schema outbox;

create sequence outbox.mark_sequence;

-- What may make somebody stale. Append-only; a reader for each system takes it into the marks, in (xid, change_id)
-- order below the snapshot horizon; what all have passed is deleted.
-- profile_id may be stale in system, null: in every system that is written to; with no profile_id: everybody there.
-- record_id: a record that said or shows something, in its own system; shown: fingerprint of what it shows, null where
-- that is sure to differ from what was agreed. Where system is named, and shown is as agreed, nobody is stale.
create table outbox.change (
    change_id bigint generated always as identity,
    xid xid8 not null default pg_current_xact_id(),
    profile_id uuid,
    system text,
    record_id bigint,
    shown bigint,
    lane smallint not null,
    primary key (xid, change_id)
);

-- lane: 1 consent, 2 erasure, 3 points and tier, 4 profile, 6 backfill (design decision 13).
create table outbox.stale (
    system text not null,
    profile_id uuid not null,
    lane smallint not null,
    mark bigint not null default nextval('outbox.mark_sequence'),
    due_at timestamptz not null,
    attempts int not null default 0,
    parked_code text,
    parked_message text,
    parked_at timestamptz,
    primary key (profile_id, system)
) with (fillfactor = 70);
create index stale_to_claim on outbox.stale (system, lane, mark) where parked_code is null;
create index stale_parked on outbox.stale (system, parked_at) where parked_code is not null;

-- fields: {vendor field: {"sent": what we wrote, "stored": what the system made of it}}, both in the vendor's form.
-- doubted_count: how often the record showed something else than was agreed; settled_count: what of that was compared.
-- shown: fingerprint of what the written fields show as agreed; null when not known.
create table outbox.base (
    record_id bigint primary key,
    system text not null,
    fields jsonb not null,
    written_at timestamptz not null,
    writes_in_hour int not null default 1,
    hour_started_at timestamptz not null,
    doubted_count bigint not null default 0,
    settled_count bigint not null default 0,
    shown bigint
) with (fillfactor = 80);
create index base_by_system on outbox.base (system, written_at);

-- What is being written into a record right now: {attribute: {"sent": value, "held": value before}}, canonical. A row that outlives its delivery tells
-- of one that was cut short; the next delivery of the record replaces it.
create table outbox.flight (
    record_id bigint primary key,
    written jsonb not null
);
