create schema sync;

-- A system said that a record changed without saying how: to be fetched.
create table sync.hint (
    system text not null,
    stream text not null,
    external_id text not null,
    hint_id bigint generated always as identity,
    hinted_at timestamptz not null,
    primary key (system, stream, external_id)
);

-- The books of each run: read = applied + unchanged + filtered + parked.
create table sync.run (
    run_id bigint generated always as identity primary key,
    kind text not null check (kind in ('unify', 'deliver', 'pull', 'load')),
    system text,
    finished_at timestamptz not null,
    read_count bigint not null,
    applied_count bigint not null,
    unchanged_count bigint not null,
    filtered_count bigint not null,
    parked_count bigint not null,
    constraint run_balances check (read_count = applied_count + unchanged_count + filtered_count + parked_count)
);
create index run_by_time on sync.run (finished_at);

-- Merges told by a system whose surviving record has not come in yet.
create table sync.merge (
    system text not null,
    stream text not null,
    survivor_id text not null,
    loser_id text not null,
    told_at timestamptz not null,
    primary key (system, stream, survivor_id, loser_id)
);
