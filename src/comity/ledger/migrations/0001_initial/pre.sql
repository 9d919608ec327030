create schema ledger;

create table ledger.account (
    account_id bigint generated always as identity primary key,
    book text not null check (book in ('points', 'money')),
    unit text not null,
    kind text not null check (kind in ('member', 'programme')),
    owner text not null,
    opened_at timestamptz not null,
    -- Stored for guarded accounts alone; null means: the sum of the entries.
    balance bigint constraint balance_not_negative check (balance >= 0),
    constraint account_once unique (owner, unit, kind, book),
    constraint members_are_guarded check ((kind = 'member') = (balance is not null))
) with (fillfactor = 70);

-- Ids are drawn one by one while the accounts are locked: within an account they grow with time.
create sequence ledger.transfer_id;

create table ledger.transfer (
    transfer_id bigint primary key,
    idempotency_key text not null constraint transfer_key_once unique,
    -- Of the text the key stands for; null: it stands for the columns below.
    request_hash bytea,
    debit_account_id bigint not null,
    credit_account_id bigint not null,
    amount bigint not null check (amount > 0),
    -- Of guarded accounts, so that a repeated request gets the first answer; null where no balance is stored.
    debit_balance_after bigint,
    credit_balance_after bigint,
    kind text not null,
    reason text not null,
    effective_on date not null,
    booked_at timestamptz not null,
    system text not null,
    external_id text not null,
    reverses_transfer_id bigint,
    check (debit_account_id <> credit_account_id)
);
create unique index transfer_reversed_once on ledger.transfer (reverses_transfer_id)
where reverses_transfer_id is not null;

-- One line of one account. No foreign keys: the lock on the account has proved that it exists, and transfer and
-- entries are written by one function.
create table ledger.entry (
    transfer_id bigint not null,
    account_id bigint not null,
    amount bigint not null check (amount <> 0),
    balance_after bigint,
    primary key (account_id, transfer_id)
);
