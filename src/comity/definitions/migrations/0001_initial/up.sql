create schema definitions;

-- One row; whoever applies locks it, whoever runs polls it.
create table definitions.revision (
    is_only boolean primary key default true constraint revision_is_one_row check (is_only),
    revision bigint not null
);
insert into definitions.revision (revision) values (0);

create table definitions.apply (
    apply_id bigint generated always as identity primary key,
    revision bigint not null constraint apply_revision_once unique,
    author text not null,
    applied_at timestamptz not null,
    summary jsonb not null
);

-- Every version of every document. `source`, `file` and `line` may be refreshed when only comments changed; the rest
-- of a row never changes.
create table definitions.document (
    kind text not null,
    name text not null,
    version integer not null check (version > 0),
    apply_id bigint not null references definitions.apply (apply_id),
    author text not null,
    applied_at timestamptz not null,
    body jsonb not null,
    sha256 bytea not null,
    source text not null,
    file text not null,
    line integer not null,
    is_retired boolean not null,
    constraint document_version_once primary key (kind, name, version)
);
create index document_of_apply on definitions.document (apply_id);
