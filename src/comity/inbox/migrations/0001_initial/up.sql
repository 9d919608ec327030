create schema inbox;

-- Append-only; read in (xid, change_id) order below the snapshot horizon.
create table inbox.change (
    change_id bigint generated always as identity primary key,
    xid xid8 not null default pg_current_xact_id(),
    system text not null,
    stream text not null,
    external_id text not null,
    version text not null,
    kind text not null check (kind in ('upsert', 'delete', 'restore', 'merge')),
    source_at timestamptz,
    received_at timestamptz not null,
    survivor_id text,
    payload bytea not null,
    constraint change_once unique (system, stream, external_id, version)
);
create index change_in_order on inbox.change (xid, change_id);

-- Changes that cannot be used. closed_by: replay, the newer change of the record that succeeded, or who discarded it.
create table inbox.parked (
    change_id bigint primary key references inbox.change (change_id),
    system text not null,
    stream text not null,
    external_id text not null,
    code text not null,
    field text,
    message text not null,
    remedy text,
    parked_at timestamptz not null,
    closed_at timestamptz,
    closed_by text,
    constraint closed_by_somebody check ((closed_at is null) = (closed_by is null))
);
create index parked_open on inbox.parked (system, stream, external_id) where closed_at is null;
