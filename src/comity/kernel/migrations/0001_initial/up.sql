create schema kernel;

create table kernel.migration (
    room text not null,
    name text not null,
    phase text not null check (phase in ('pre', 'post')),
    applied_at timestamptz not null default now(),
    primary key (room, name, phase)
);

-- Which functions and views of each room were put in last, as a digest of them and of what they stand on.
create table kernel.function_set (
    room text primary key,
    digest text not null,
    replaced_at timestamptz not null default now()
);

-- What happened, for other rooms to react to. Append-only; read in (xid, event_id) order below the snapshot horizon.
create table kernel.event (
    event_id bigint generated always as identity primary key,
    xid xid8 not null default pg_current_xact_id(),
    kind text not null,
    payload jsonb not null,
    occurred_at timestamptz not null
);
create index event_in_order on kernel.event (xid, event_id);

-- How far each reader has come in its log.
create table kernel.reader (
    name text primary key,
    xid xid8 not null default '0',
    id bigint not null default 0,
    moved_at timestamptz not null default now()
);

-- Who does what nobody else may do at the same time; the fence grows with every change of holder.
create table kernel.lease (
    name text primary key,
    holder uuid not null,
    fence bigint not null,
    expires_at timestamptz not null,
    -- Advisory lock that the holder's session keeps: once nobody holds it the holder is dead. Null: only time tells.
    presence bigint
);

-- Work that is due at times.
create table kernel.schedule (
    name text primary key,
    cadence text not null,
    next_at timestamptz not null,
    last_at timestamptz
);
