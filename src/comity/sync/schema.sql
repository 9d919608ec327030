-- What the migrations of this room add up to. Written by `make schemas`; edit the migrations instead.
create schema sync;

create table sync.hint (
    system text not null,
    stream text not null,
    external_id text not null,
    hint_id bigint not null generated always as identity,
    hinted_at timestamp with time zone not null,
    constraint hint_pkey PRIMARY KEY (system, stream, external_id)
);

create table sync.merge (
    system text not null,
    stream text not null,
    survivor_id text not null,
    loser_id text not null,
    told_at timestamp with time zone not null,
    constraint merge_pkey PRIMARY KEY (system, stream, survivor_id, loser_id)
);

create table sync.run (
    run_id bigint not null generated always as identity,
    kind text not null,
    system text,
    finished_at timestamp with time zone not null,
    read_count bigint not null,
    applied_count bigint not null,
    unchanged_count bigint not null,
    filtered_count bigint not null,
    parked_count bigint not null,
    constraint run_pkey PRIMARY KEY (run_id),
    constraint run_balances CHECK ((read_count = (((applied_count + unchanged_count) + filtered_count) + parked_count))),
    constraint run_kind_check CHECK ((kind = ANY (ARRAY['unify'::text, 'deliver'::text, 'pull'::text, 'load'::text])))
);
CREATE INDEX run_by_time ON sync.run USING btree (finished_at);
