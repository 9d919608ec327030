-- What transfers are in the accounts outside, for those of which it was said.
create table ledger.reference (
    reference_id bigint not null
    default case when pg_current_xact_id() is not null then nextval('ledger.transfer_id') end
    constraint reference_in_order unique,
    transfer_id bigint constraint reference_once primary key,
    reference text not null check (length(reference) between 1 and 200),
    noted_at timestamptz not null
);
