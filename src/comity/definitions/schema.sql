-- What the migrations of this room add up to. Written by `make schemas`; edit the migrations instead.
create schema definitions;

create table definitions.apply (
    apply_id bigint not null generated always as identity,
    revision bigint not null,
    author text not null,
    applied_at timestamp with time zone not null,
    summary jsonb not null,
    constraint apply_pkey PRIMARY KEY (apply_id),
    constraint apply_revision_once UNIQUE (revision)
);

create table definitions.document (
    kind text not null,
    name text not null,
    version integer not null,
    apply_id bigint not null,
    author text not null,
    applied_at timestamp with time zone not null,
    body jsonb not null,
    sha256 bytea not null,
    source text not null,
    file text not null,
    line integer not null,
    is_retired boolean not null,
    constraint document_version_once PRIMARY KEY (kind, name, version),
    constraint document_apply_id_fkey FOREIGN KEY (apply_id) REFERENCES definitions.apply(apply_id),
    constraint document_version_check CHECK ((version > 0))
);
CREATE INDEX document_of_apply ON definitions.document USING btree (apply_id);

create table definitions.revision (
    is_only boolean not null default true,
    revision bigint not null,
    constraint revision_pkey PRIMARY KEY (is_only),
    constraint revision_is_one_row CHECK (is_only)
);
