-- What the migrations of this room add up to. Written by `make schemas`; edit the migrations instead.
create schema kernel;

create table kernel.event (
    event_id bigint not null generated always as identity,
    xid xid8 not null default pg_current_xact_id(),
    kind text not null,
    payload jsonb not null,
    occurred_at timestamp with time zone not null,
    constraint event_pkey PRIMARY KEY (event_id)
);
CREATE INDEX event_in_order ON kernel.event USING btree (xid, event_id);

create table kernel.function_set (
    room text not null,
    digest text not null,
    replaced_at timestamp with time zone not null default now(),
    constraint function_set_pkey PRIMARY KEY (room)
);

create table kernel.lease (
    name text not null,
    holder uuid not null,
    fence bigint not null,
    expires_at timestamp with time zone not null,
    presence bigint,
    constraint lease_pkey PRIMARY KEY (name)
);

create table kernel.migration (
    room text not null,
    name text not null,
    applied_at timestamp with time zone not null default now(),
    constraint migration_pkey PRIMARY KEY (room, name)
);

create table kernel.reader (
    name text not null,
    xid xid8 not null default '0'::xid8,
    id bigint not null default 0,
    moved_at timestamp with time zone not null default now(),
    constraint reader_pkey PRIMARY KEY (name)
);

create table kernel.schedule (
    name text not null,
    cadence text not null,
    next_at timestamp with time zone not null,
    last_at timestamp with time zone,
    constraint schedule_pkey PRIMARY KEY (name)
);
