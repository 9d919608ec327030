-- What the migrations of this room add up to. Written by `make schemas`; edit the migrations instead.
create schema ledger;

create type posting as (key text, request text, debit_slot integer, credit_slot integer, debit bigint, credit bigint, amount bigint, kind text, reason text, effective_on date, system text, external_id text, reversed bigint, number integer, takes text, may_owe boolean, expires_on date, available_from date, money_debit bigint, money_credit bigint, money_amount bigint);

create sequence ledger.transfer_id;

create table ledger.account (
    account_id bigint not null default 
CASE
    WHEN (pg_current_xact_id() IS NOT NULL) THEN nextval('ledger.transfer_id'::regclass)
    ELSE NULL::bigint
END,
    book text not null,
    unit text not null,
    kind text not null,
    owner text not null,
    opened_at timestamp with time zone not null,
    balance bigint,
    owed bigint not null default 0,
    constraint account_pkey PRIMARY KEY (account_id),
    constraint account_once UNIQUE (owner, unit, kind, book),
    constraint account_book_check CHECK ((book = ANY (ARRAY['points'::text, 'money'::text]))),
    constraint account_kind_check CHECK ((kind = ANY (ARRAY['member'::text, 'pool'::text, 'reserved'::text, 'suspense'::text, 'programme'::text, 'partner'::text, 'expired'::text, 'money'::text]))),
    constraint account_owed_check CHECK ((owed >= 0)),
    constraint balance_not_negative CHECK ((balance >= (- owed))),
    constraint holders_are_guarded CHECK (((kind = ANY (ARRAY['member'::text, 'pool'::text, 'reserved'::text, 'suspense'::text])) = (balance IS NOT NULL))),
    constraint money_accounts_hold_money CHECK (((kind <> 'money'::text) OR (book = 'money'::text)))
) with (fillfactor=70);
CREATE TRIGGER account_is_immutable BEFORE DELETE OR UPDATE OF account_id, book, unit, kind, owner, opened_at OR TRUNCATE ON ledger.account FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

create table ledger.block (
    block_number bigint not null,
    first_transfer_id bigint not null,
    last_transfer_id bigint not null,
    transfer_count bigint not null,
    total_count bigint not null,
    previous_digest bytea not null,
    digest bytea not null,
    sealed_at timestamp with time zone not null,
    last_note_id bigint not null default 0,
    note_count bigint not null default 0,
    constraint block_pkey PRIMARY KEY (block_number),
    constraint block_block_number_check CHECK ((block_number > 0)),
    constraint block_without_gaps CHECK ((first_transfer_id <= (last_transfer_id + 1)))
);
CREATE TRIGGER block_is_immutable BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.block FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

create table ledger.hold (
    hold_id bigint not null,
    account_id bigint not null,
    reserved_account_id bigint not null,
    amount bigint not null,
    deadline_at timestamp with time zone not null,
    constraint hold_pkey PRIMARY KEY (hold_id)
);
CREATE TRIGGER hold_is_immutable BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.hold FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

create table ledger.hold_end (
    hold_id bigint not null,
    outcome text not null,
    idempotency_key text not null,
    captured bigint not null,
    released bigint not null,
    capture_transfer_id bigint,
    release_transfer_id bigint,
    ended_at timestamp with time zone not null,
    constraint hold_ends_once PRIMARY KEY (hold_id),
    constraint hold_end_key_once UNIQUE (idempotency_key),
    constraint hold_end_outcome_check CHECK ((outcome = ANY (ARRAY['captured'::text, 'released'::text, 'timed_out'::text])))
);
CREATE INDEX hold_end_in_order ON ledger.hold_end USING btree (COALESCE(capture_transfer_id, release_transfer_id));
CREATE TRIGGER hold_end_is_immutable BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.hold_end FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

create table ledger.hold_move (
    transfer_id bigint not null,
    hold_id bigint not null,
    account_id bigint not null,
    reserved_account_id bigint not null,
    constraint hold_move_pkey PRIMARY KEY (transfer_id)
);
CREATE INDEX hold_move_latest ON ledger.hold_move USING btree (hold_id, transfer_id);
CREATE TRIGGER hold_move_is_immutable BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.hold_move FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

create table ledger.holding (
    account_id bigint not null,
    lot_id bigint not null,
    rest bigint not null,
    expires_on date,
    available_from date,
    constraint holding_pkey PRIMARY KEY (account_id, lot_id),
    constraint holding_rest_check CHECK ((rest <> 0))
) with (fillfactor=80);
CREATE INDEX holding_expiring ON ledger.holding USING btree (expires_on, account_id) WHERE (expires_on IS NOT NULL);
CREATE INDEX holding_pending ON ledger.holding USING btree (account_id, available_from) WHERE (available_from IS NOT NULL);

create table ledger.lot_entry (
    lot_id bigint not null,
    account_id bigint not null,
    transfer_id bigint not null,
    amount bigint not null,
    constraint lot_entry_pkey PRIMARY KEY (lot_id, account_id, transfer_id),
    constraint lot_entry_amount_check CHECK ((amount <> 0))
);
CREATE INDEX lot_entry_of_transfer ON ledger.lot_entry USING btree (transfer_id);
CREATE TRIGGER lot_entry_is_immutable BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.lot_entry FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

create table ledger.lot_term (
    lot_term_id bigint not null default 
CASE
    WHEN (pg_current_xact_id() IS NOT NULL) THEN nextval('ledger.transfer_id'::regclass)
    ELSE NULL::bigint
END,
    lot_id bigint not null,
    idempotency_key text not null,
    expires_on date,
    available_from date,
    reason text not null,
    changed_at timestamp with time zone not null,
    constraint lot_term_pkey PRIMARY KEY (lot_term_id),
    constraint term_key_once UNIQUE (idempotency_key)
);
CREATE INDEX lot_term_latest ON ledger.lot_term USING btree (lot_id, lot_term_id);
CREATE TRIGGER lot_term_is_immutable BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.lot_term FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

create table ledger.open_hold (
    hold_id bigint not null,
    deadline_at timestamp with time zone not null,
    constraint open_hold_pkey PRIMARY KEY (hold_id)
);
CREATE INDEX open_hold_due ON ledger.open_hold USING btree (deadline_at, hold_id);

create table ledger.period_lock (
    period_lock_id bigint not null default 
CASE
    WHEN (pg_current_xact_id() IS NOT NULL) THEN nextval('ledger.transfer_id'::regclass)
    ELSE NULL::bigint
END,
    book text not null,
    unit text not null,
    locked_through date not null,
    locked_at timestamp with time zone not null,
    locked_by text not null,
    confirmed_by text,
    reason text not null,
    constraint period_lock_pkey PRIMARY KEY (period_lock_id),
    constraint period_lock_check CHECK ((confirmed_by <> locked_by))
);
CREATE TRIGGER period_lock_is_immutable BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.period_lock FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

create table ledger.reference (
    reference_id bigint not null default 
CASE
    WHEN (pg_current_xact_id() IS NOT NULL) THEN nextval('ledger.transfer_id'::regclass)
    ELSE NULL::bigint
END,
    transfer_id bigint not null,
    reference text not null,
    noted_at timestamp with time zone not null,
    constraint reference_once PRIMARY KEY (transfer_id),
    constraint reference_in_order UNIQUE (reference_id),
    constraint reference_reference_check CHECK (((length(reference) >= 1) AND (length(reference) <= 200)))
);
CREATE TRIGGER reference_is_immutable BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.reference FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

create table ledger.seal_mark (
    is_only boolean not null default true,
    last_transfer_id bigint not null,
    horizon xid8 not null,
    constraint seal_mark_pkey PRIMARY KEY (is_only),
    constraint seal_mark_is_only_check CHECK (is_only)
);

create table ledger.take_back (
    idempotency_key text not null,
    transfer_id bigint not null,
    reversal_number integer not null,
    wanted bigint not null,
    taken bigint not null,
    policy text not null,
    reversal_transfer_id bigint,
    booked_at timestamp with time zone not null,
    take_back_id bigint not null default 
CASE
    WHEN (pg_current_xact_id() IS NOT NULL) THEN nextval('ledger.transfer_id'::regclass)
    ELSE NULL::bigint
END,
    constraint take_back_key_once PRIMARY KEY (idempotency_key),
    constraint take_back_in_order UNIQUE (take_back_id),
    constraint take_back_numbered UNIQUE (transfer_id, reversal_number),
    constraint take_back_check CHECK (((taken >= 0) AND (taken <= wanted))),
    constraint take_back_wanted_check CHECK ((wanted > 0))
);
CREATE TRIGGER take_back_is_immutable BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.take_back FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

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
    original_on date,
    booked_at timestamp with time zone not null,
    system text not null,
    external_id text not null,
    reverses_transfer_id bigint,
    reversal_number integer,
    lot_amount bigint,
    expires_on date,
    available_from date,
    money_debit_account_id bigint,
    money_credit_account_id bigint,
    money_amount bigint,
    constraint transfer_pkey PRIMARY KEY (transfer_id),
    constraint transfer_key_once UNIQUE (idempotency_key),
    constraint transfer_amount_check CHECK ((amount > 0)),
    constraint transfer_check CHECK (((lot_amount >= 1) AND (lot_amount <= amount))),
    constraint transfer_check1 CHECK ((debit_account_id <> credit_account_id)),
    constraint transfer_check2 CHECK ((money_debit_account_id <> money_credit_account_id)),
    constraint transfer_check3 CHECK ((num_nulls(money_debit_account_id, money_credit_account_id, money_amount) = ANY (ARRAY[0, 3]))),
    constraint transfer_check4 CHECK (((reverses_transfer_id IS NULL) = (reversal_number IS NULL))),
    constraint transfer_money_amount_check CHECK ((money_amount > 0))
);
CREATE INDEX transfer_credits ON ledger.transfer USING btree (credit_account_id, transfer_id) WHERE (credit_balance_after IS NOT NULL);
CREATE INDEX transfer_debits ON ledger.transfer USING btree (debit_account_id, transfer_id) WHERE (debit_balance_after IS NOT NULL);
CREATE UNIQUE INDEX transfer_reversed_once ON ledger.transfer USING btree (reverses_transfer_id, reversal_number) WHERE (reverses_transfer_id IS NOT NULL);
CREATE TRIGGER transfer_is_immutable BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.transfer FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

-- view v_balance: account_id bigint, balance bigint
-- view v_capture: hold_id bigint, account_id bigint, captured bigint, reserved_at timestamp with time zone
-- view v_entry: account_id bigint, transfer_id bigint, amount bigint, balance_after bigint, kind text, reason text, effective_on date, booked_at timestamp with time zone, system text, external_id text, reverses_transfer_id bigint
-- view v_hold: hold_id bigint, account_id bigint, reserved_account_id bigint, first_account_id bigint, amount bigint, deadline_at timestamp with time zone
-- view v_holder: account_id bigint, holder_id bigint
-- view v_holding: account_id bigint, lot_id bigint, rest bigint, expires_on date, available_from date
-- view v_line: transfer_id bigint, line text
-- view v_lot: lot_id bigint, account_id bigint, amount bigint, expires_on date, available_from date, is_pending boolean, effective_on date, booked_at timestamp with time zone, kind text, system text, external_id text
-- view v_lot_entry: lot_id bigint, account_id bigint, transfer_id bigint, amount bigint
-- view v_lot_term: lot_id bigint, expires_on date, available_from date
-- view v_note: number bigint, note text, line text
-- view v_period: book text, unit text, locked_through date
-- function digest_block(previous bytea, first_id bigint, last_id bigint, first_note_id bigint, last_note_id bigint): TABLE(digest bytea, transfer_count bigint, note_count bigint)
-- function is_repeated(batch ledger.posting[], verdicts text[]): boolean
-- function judge_keys(batch ledger.posting[], OUT former integer[], OUT ids bigint[], OUT debit_afters bigint[], OUT credit_afters bigint[], OUT verdicts text[]): record
-- function judge_money(batch ledger.posting[], OUT pairs text[], OUT reasons text[]): record
-- function load_lots(batch ledger.posting[], slot_ids bigint[], slot_keeps boolean[], slot_owes bigint[], piece_froms integer[], OUT accounts bigint[], OUT lots bigint[], OUT rests bigint[], OUT expires date[], OUT availables date[], OUT nexts integer[], OUT firsts integer[], OUT tails integer[]): record
-- function lock_accounts(account_ids bigint[], OUT units text[], OUT balances bigint[], OUT owes bigint[], OUT keeps boolean[]): record
-- function post(batch ledger.posting[], slot_ids bigint[], piece_places integer[], piece_lots bigint[], piece_amounts bigint[], piece_expires_ons date[], piece_available_froms date[], booked_at timestamp with time zone): TABLE(status text, transfer_id bigint, debit_balance_after bigint, credit_balance_after bigint)
-- function refuse_change(): trigger
-- function write_lots(batch ledger.posting[], new_lots bigint[], new_amounts bigint[], nodes integer[], transfers bigint[], amounts bigint[], accounts bigint[], lots bigint[], rests bigint[], olds bigint[], expires date[], availables date[]): void
-- function write_transfers(batch ledger.posting[], ids bigint[], debit_afters bigint[], credit_afters bigint[], days date[], lot_amounts bigint[], verdicts text[], booked_at timestamp with time zone): void
