-- What the migrations of this room add up to. Written by `make schemas`; edit the migrations instead.
create schema inbox;

create table inbox.change (
    change_id bigint not null generated always as identity,
    xid xid8 not null default pg_current_xact_id(),
    system text not null,
    stream text not null,
    external_id text not null,
    version text not null,
    kind text not null,
    source_at timestamp with time zone,
    received_at timestamp with time zone not null,
    survivor_id text,
    payload bytea not null,
    constraint change_pkey PRIMARY KEY (change_id),
    constraint change_once UNIQUE (system, stream, external_id, version),
    constraint change_kind_check CHECK ((kind = ANY (ARRAY['upsert'::text, 'delete'::text, 'restore'::text, 'merge'::text])))
);
CREATE INDEX change_in_order ON inbox.change USING btree (xid, change_id);

create table inbox.parked (
    change_id bigint not null,
    system text not null,
    stream text not null,
    external_id text not null,
    code text not null,
    field text,
    message text not null,
    remedy text,
    parked_at timestamp with time zone not null,
    closed_at timestamp with time zone,
    closed_by text,
    constraint parked_pkey PRIMARY KEY (change_id),
    constraint parked_change_id_fkey FOREIGN KEY (change_id) REFERENCES inbox.change(change_id),
    constraint closed_by_somebody CHECK (((closed_at IS NULL) = (closed_by IS NULL)))
);
CREATE INDEX parked_open ON inbox.parked USING btree (system, stream, external_id) WHERE (closed_at IS NULL);
