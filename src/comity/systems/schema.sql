-- What the migrations of this room add up to. Written by `make schemas`; edit the migrations instead.
create schema systems;

create table systems.cursor (
    system text not null,
    stream text not null,
    cursor text not null,
    read_count bigint not null default 0,
    moved_at timestamp with time zone not null,
    whole_xid xid8,
    is_settled boolean not null default false,
    constraint cursor_pkey PRIMARY KEY (system, stream)
);

create table systems.system (
    system text not null,
    connector text not null,
    title text not null,
    state text not null default 'running'::text,
    joined_at timestamp with time zone not null,
    read_ok_at timestamp with time zone,
    read_error_at timestamp with time zone,
    read_error text,
    write_ok_at timestamp with time zone,
    write_error_at timestamp with time zone,
    write_error text,
    failures_in_row integer not null default 0,
    blocked_until timestamp with time zone,
    hooks_refused_count bigint not null default 0,
    hook_refused_at timestamp with time zone,
    hook_refusal text,
    constraint system_pkey PRIMARY KEY (system),
    constraint system_state_check CHECK ((state = ANY (ARRAY['running'::text, 'paused'::text, 'removed'::text])))
);
