-- What the migrations of this room add up to. Written by `make schemas`; edit the migrations instead.
create schema ledger;

create sequence ledger.transfer_id;

create table ledger.account (
    account_id bigint not null generated always as identity,
    book text not null,
    unit text not null,
    kind text not null,
    owner text not null,
    opened_at timestamp with time zone not null,
    balance bigint,
    constraint account_pkey PRIMARY KEY (account_id),
    constraint account_once UNIQUE (owner, unit, kind, book),
    constraint account_book_check CHECK ((book = ANY (ARRAY['points'::text, 'money'::text]))),
    constraint account_kind_check CHECK ((kind = ANY (ARRAY['member'::text, 'programme'::text]))),
    constraint balance_not_negative CHECK ((balance >= 0)),
    constraint members_are_guarded CHECK (((kind = 'member'::text) = (balance IS NOT NULL)))
) with (fillfactor=70);

create table ledger.entry (
    transfer_id bigint not null,
    account_id bigint not null,
    amount bigint not null,
    balance_after bigint,
    constraint entry_pkey PRIMARY KEY (account_id, transfer_id),
    constraint entry_amount_check CHECK ((amount <> 0))
);
CREATE TRIGGER entry_is_immutable BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.entry FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER transfer_balances AFTER INSERT ON ledger.entry REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_imbalance();

create table ledger.transfer (
    transfer_id bigint not null,
    idempotency_key text not null,
    request_hash bytea,
    debit_account_id bigint not null,
    credit_account_id bigint not null,
    amount bigint not null,
    debit_balance_after bigint,
    credit_balance_after bigint,
    kind text not null,
    reason text not null,
    effective_on date not null,
    booked_at timestamp with time zone not null,
    system text not null,
    external_id text not null,
    reverses_transfer_id bigint,
    constraint transfer_pkey PRIMARY KEY (transfer_id),
    constraint transfer_key_once UNIQUE (idempotency_key),
    constraint transfer_amount_check CHECK ((amount > 0)),
    constraint transfer_check CHECK ((debit_account_id <> credit_account_id))
);
CREATE UNIQUE INDEX transfer_reversed_once ON ledger.transfer USING btree (reverses_transfer_id) WHERE (reverses_transfer_id IS NOT NULL);
CREATE TRIGGER transfer_is_immutable BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.transfer FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

-- view v_balance: account_id bigint, balance bigint
-- view v_entry: account_id bigint, transfer_id bigint, amount bigint, balance_after bigint, kind text, reason text, effective_on date, booked_at timestamp with time zone, system text, external_id text, reverses_transfer_id bigint
-- function post(keys text[], requests text[], debits bigint[], credits bigint[], amounts bigint[], kinds text[], reasons text[], effective_ons date[], systems text[], external_ids text[], reverses bigint[], booked_at timestamp with time zone): TABLE(status text, transfer_id bigint, debit_balance_after bigint, credit_balance_after bigint)
-- function refuse_change(): trigger
-- function refuse_imbalance(): trigger
