create schema systems;

create table systems.system (
    system text primary key,
    connector text not null,
    title text not null,
    state text not null default 'running' check (state in ('running', 'paused', 'removed')),
    joined_at timestamptz not null,
    read_ok_at timestamptz,
    read_error_at timestamptz,
    read_error text,
    write_ok_at timestamptz,
    write_error_at timestamptz,
    write_error text,
    failures_in_row int not null default 0,
    blocked_until timestamptz
);

create table systems.cursor (
    system text not null,
    stream text not null,
    cursor text not null,
    read_count bigint not null default 0,
    moved_at timestamptz not null,
    primary key (system, stream)
);

-- Calls per system and day, for the daily quota.
create table systems.call_count (
    system text not null,
    counted_on date not null,
    calls bigint not null default 0,
    primary key (system, counted_on)
);
