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
    blocked_until timestamptz,
    hooks_refused_count bigint not null default 0,
    hook_refused_at timestamptz,
    hook_refusal text
);

-- whole_xid: transaction that stored the last page of the first read to the end; null before.
-- is_settled: all that this read brought has been unified, so that who has a record there is known.
create table systems.cursor (
    system text not null,
    stream text not null,
    cursor text not null,
    read_count bigint not null default 0,
    moved_at timestamptz not null,
    whole_xid xid8,
    is_settled boolean not null default false,
    primary key (system, stream)
);

-- Calls per system and day, for the daily quota.
create table systems.call_count (
    system text not null,
    counted_on date not null,
    calls bigint not null default 0,
    primary key (system, counted_on)
);
