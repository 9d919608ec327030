create schema ledger;

create table ledger.account (
    account_id bigint generated always as identity primary key,
    book text not null check (book in ('points', 'money')),
    unit text not null,
    kind text not null
        check (kind in ('member', 'pool', 'reserved', 'suspense', 'programme', 'partner', 'expired', 'money')),
    owner text not null,
    opened_at timestamptz not null,
    -- Stored for holders alone (member, pool, reserved, suspense); null means: the sum of the entries.
    balance bigint,
    -- What the holder owes because points were taken back that were spent already; the next accruals pay it.
    owed bigint not null default 0 check (owed >= 0),
    constraint balance_not_negative check (balance >= -owed),
    constraint account_once unique (owner, unit, kind, book),
    constraint holders_are_guarded
        check ((kind in ('member', 'pool', 'reserved', 'suspense')) = (balance is not null)),
    constraint money_accounts_hold_money check (kind <> 'money' or book = 'money')
) with (fillfactor = 70);

-- Ids are drawn one by one while the accounts are locked: within an account they grow with time.
create sequence ledger.transfer_id;

-- What is asked of ledger.post, field by field what a transfer holds. The slots are the places of the accounts in the
-- list of all accounts of a batch.
create type ledger.posting as (
    key text,
    request text,
    debit_slot int,
    credit_slot int,
    debit bigint,
    credit bigint,
    amount bigint,
    kind text,
    reason text,
    effective_on date,
    system text,
    external_id text,
    reversed bigint,
    number int,
    takes text,
    may_owe boolean,
    expires_on date,
    available_from date,
    money_debit bigint,
    money_credit bigint,
    money_amount bigint
);

create table ledger.transfer (
    transfer_id bigint primary key,
    idempotency_key text not null constraint transfer_key_once unique,
    -- Of the text the key stands for; null: it stands for the columns below.
    request_hash bytea,
    debit_account_id bigint not null,
    credit_account_id bigint not null,
    amount bigint not null check (amount > 0),
    -- Of holders, so that a repeated request gets the first answer; null where no balance is stored.
    debit_balance_after bigint,
    credit_balance_after bigint,
    kind text not null,
    reason text not null,
    -- The business day it counts on; original_on is the day that was asked for where its period was locked.
    effective_on date not null,
    original_on date,
    booked_at timestamptz not null,
    system text not null,
    external_id text not null,
    reverses_transfer_id bigint,
    -- 1 for the first (or only) reversal of a transfer, 2 for the next part, and so on.
    reversal_number int,
    -- What of the amount is a new lot of points; the lot is named by the transfer. Its terms: the first day it cannot
    -- be spent any more, and the day from which it can (infinity: when an event says so).
    lot_amount bigint check (lot_amount between 1 and amount),
    expires_on date,
    available_from date,
    -- The same journal in the money book.
    money_debit_account_id bigint,
    money_credit_account_id bigint,
    money_amount bigint check (money_amount > 0),
    check (debit_account_id <> credit_account_id),
    check (money_debit_account_id <> money_credit_account_id),
    check (num_nulls(money_debit_account_id, money_credit_account_id, money_amount) in (0, 3)),
    check ((reverses_transfer_id is null) = (reversal_number is null))
);
create unique index transfer_reversed_once on ledger.transfer (reverses_transfer_id, reversal_number)
where reverses_transfer_id is not null;

-- The lines of a holder are found by its side of a transfer; see the view v_entry. Others have no balance stored, and no
-- index: nearly every transfer has such an account on its other side, so that an index would tell nearly nothing apart.
create index transfer_debits on ledger.transfer (debit_account_id, transfer_id) where debit_balance_after is not null;
create index transfer_credits on ledger.transfer (credit_account_id, transfer_id) where credit_balance_after is not null;

-- Which lots an entry of a holder is made of, where that is not the lot its own transfer made. Of each transfer and
-- holder, these lines (and the lot made) sum to the entry. A lot of a negative amount is a debt.
create table ledger.lot_entry (
    lot_id bigint not null,
    account_id bigint not null,
    transfer_id bigint not null,
    amount bigint not null check (amount <> 0),
    primary key (lot_id, account_id, transfer_id)
);
create index lot_entry_of_transfer on ledger.lot_entry (transfer_id);

-- The open rest of each lot in each account, and its terms as they are now: what the lines above add up to.
create table ledger.holding (
    account_id bigint not null,
    lot_id bigint not null,
    rest bigint not null check (rest <> 0),
    expires_on date,
    available_from date,
    primary key (account_id, lot_id)
) with (fillfactor = 80);
create index holding_expiring on ledger.holding (expires_on, account_id) where expires_on is not null;
create index holding_pending on ledger.holding (account_id, available_from) where available_from is not null;

-- Until when the books of a unit are closed: what is effective up to that day is posted into the open period. The
-- latest line counts; one that opens days again (to an earlier day) names a second person.
create table ledger.period_lock (
    period_lock_id bigint generated always as identity primary key,
    book text not null,
    unit text not null,
    locked_through date not null,
    locked_at timestamptz not null,
    locked_by text not null,
    confirmed_by text check (confirmed_by <> locked_by),
    reason text not null
);

-- Terms of lots that were changed later: pending points that became available, an expiry put off. The latest counts.
create table ledger.lot_term (
    lot_term_id bigint generated always as identity primary key,
    lot_id bigint not null,
    idempotency_key text not null constraint term_key_once unique,
    expires_on date,
    available_from date,
    reason text not null,
    changed_at timestamptz not null
);
create index lot_term_latest on ledger.lot_term (lot_id, lot_term_id);

-- Points reserved until a deadline; a hold is named by the transfer that reserved them.
create table ledger.hold (
    hold_id bigint primary key,
    account_id bigint not null,
    reserved_account_id bigint not null,
    amount bigint not null,
    deadline_at timestamptz not null
);

-- Where a hold went when all that somebody has moved to another account; the latest counts. The transfer names the hold.
create table ledger.hold_move (
    transfer_id bigint primary key,
    hold_id bigint not null,
    account_id bigint not null,
    reserved_account_id bigint not null
);
create index hold_move_latest on ledger.hold_move (hold_id, transfer_id);

-- How a hold ended, once: captured (whole or in part, the rest released), released, or timed out.
create table ledger.hold_end (
    hold_id bigint constraint hold_ends_once primary key,
    outcome text not null check (outcome in ('captured', 'released', 'timed_out')),
    idempotency_key text not null constraint hold_end_key_once unique,
    captured bigint not null,
    released bigint not null,
    capture_transfer_id bigint,
    release_transfer_id bigint,
    ended_at timestamptz not null
);
create index hold_end_of_capture on ledger.hold_end (capture_transfer_id);

-- The holds that have not ended, by deadline.
create table ledger.open_hold (
    hold_id bigint primary key,
    deadline_at timestamptz not null
);
create index open_hold_due on ledger.open_hold (deadline_at, hold_id);

-- What each reversal asked for and what it got: by its policy it may take less, or nothing.
create table ledger.take_back (
    idempotency_key text constraint take_back_key_once primary key,
    transfer_id bigint not null,
    reversal_number int not null,
    wanted bigint not null check (wanted > 0),
    taken bigint not null check (taken between 0 and wanted),
    policy text not null,
    reversal_transfer_id bigint,
    booked_at timestamptz not null,
    constraint take_back_numbered unique (transfer_id, reversal_number)
);

-- The hash chain: blocks of transfers without gaps between them, each digest over the one before and its transfers.
create table ledger.block (
    block_number bigint primary key check (block_number > 0),
    first_transfer_id bigint not null,
    last_transfer_id bigint not null,
    transfer_count bigint not null,
    -- Transfers up to here: what the last one of the block has as its number, without gaps.
    total_count bigint not null,
    previous_digest bytea not null,
    digest bytea not null,
    sealed_at timestamptz not null,
    check (first_transfer_id <= last_transfer_id)
);

-- Up to where ids had been drawn when we last looked: all of them are decided once every transaction before the horizon
-- has ended.
create table ledger.seal_mark (
    is_only boolean primary key default true check (is_only),
    last_transfer_id bigint not null,
    horizon xid8 not null
);
