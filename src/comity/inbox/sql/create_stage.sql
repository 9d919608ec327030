-- The session's own table that a batch is copied into; empty again after each transaction.
create temp table if not exists inbox_stage (
    system text, stream text, external_id text, version text, kind text, source_at timestamptz, survivor_id text, payload bytea
) on commit delete rows
