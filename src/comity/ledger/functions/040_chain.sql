-- Each transfer as the text that is sealed and exported: all that was posted, with the lots it is made of. Its entries
-- follow from it: two of the amount, two of the money.
create or replace view ledger.v_line as
select
    t.transfer_id,
    jsonb_build_object(
        'transfer_id', t.transfer_id, 'idempotency_key', t.idempotency_key,
        'request_hash', encode(t.request_hash, 'hex'), 'debit', t.debit_account_id, 'credit', t.credit_account_id,
        'amount', t.amount, 'debit_balance_after', t.debit_balance_after,
        'credit_balance_after', t.credit_balance_after, 'kind', t.kind, 'reason', t.reason,
        'effective_on', t.effective_on, 'original_on', t.original_on,
        'booked_at_us', (extract(epoch from t.booked_at) * 1000000)::bigint, 'system', t.system,
        'external_id', t.external_id, 'reverses', t.reverses_transfer_id, 'reversal_number', t.reversal_number,
        'lot_amount', t.lot_amount, 'expires_on', t.expires_on, 'available_from', t.available_from,
        'money_debit', t.money_debit_account_id, 'money_credit', t.money_credit_account_id,
        'money_amount', t.money_amount,
        'lots', (
            select jsonb_agg(jsonb_build_array(e.lot_id, e.account_id, e.amount) order by e.lot_id, e.account_id)
            from ledger.lot_entry e
            where e.transfer_id = t.transfer_id
        )
    )::text as line
from ledger.transfer t;

-- What stands beside the transfers and decides money, each as the text that is sealed and exported: accounts (all of
-- them but the balance, which follows from the transfers), changed terms of lots, closed periods, holds, where they went
-- and how they ended, what reversals asked for, what transfers are in the accounts outside. All are numbered by the
-- sequence of the transfers.
create or replace view ledger.v_note as
select
    account_id as number, 'account' as note,
    jsonb_build_object(
        'note', 'account', 'account_id', account_id, 'book', book, 'unit', unit, 'kind', kind, 'owner', owner,
        'opened_at_us', (extract(epoch from opened_at) * 1000000)::bigint
    )::text as line
from ledger.account
union all
select
    lot_term_id, 'lot_term',
    jsonb_build_object(
        'note', 'lot_term', 'lot_term_id', lot_term_id, 'lot_id', lot_id, 'idempotency_key', idempotency_key,
        'expires_on', expires_on, 'available_from', available_from, 'reason', reason,
        'changed_at_us', (extract(epoch from changed_at) * 1000000)::bigint
    )::text
from ledger.lot_term
union all
select
    period_lock_id, 'period_lock',
    jsonb_build_object(
        'note', 'period_lock', 'period_lock_id', period_lock_id, 'book', book, 'unit', unit,
        'locked_through', locked_through, 'locked_at_us', (extract(epoch from locked_at) * 1000000)::bigint,
        'locked_by', locked_by, 'confirmed_by', confirmed_by, 'reason', reason
    )::text
from ledger.period_lock
union all
select
    take_back_id, 'take_back',
    jsonb_build_object(
        'note', 'take_back', 'take_back_id', take_back_id, 'idempotency_key', idempotency_key,
        'transfer_id', transfer_id, 'reversal_number', reversal_number, 'wanted', wanted, 'taken', taken,
        'policy', policy, 'reversal_transfer_id', reversal_transfer_id,
        'booked_at_us', (extract(epoch from booked_at) * 1000000)::bigint
    )::text
from ledger.take_back
union all
select
    hold_id, 'hold',
    jsonb_build_object(
        'note', 'hold', 'hold_id', hold_id, 'account_id', account_id, 'reserved_account_id', reserved_account_id,
        'amount', amount, 'deadline_at_us', (extract(epoch from deadline_at) * 1000000)::bigint
    )::text
from ledger.hold
union all
select
    transfer_id, 'hold_move',
    jsonb_build_object(
        'note', 'hold_move', 'transfer_id', transfer_id, 'hold_id', hold_id, 'account_id', account_id,
        'reserved_account_id', reserved_account_id
    )::text
from ledger.hold_move
union all
select
    coalesce(capture_transfer_id, release_transfer_id), 'hold_end',
    jsonb_build_object(
        'note', 'hold_end', 'hold_id', hold_id, 'outcome', outcome, 'idempotency_key', idempotency_key,
        'captured', captured, 'released', released, 'capture_transfer_id', capture_transfer_id,
        'release_transfer_id', release_transfer_id, 'ended_at_us', (extract(epoch from ended_at) * 1000000)::bigint
    )::text
from ledger.hold_end
union all
select
    reference_id, 'reference',
    jsonb_build_object(
        'note', 'reference', 'reference_id', reference_id, 'transfer_id', transfer_id, 'reference', reference,
        'noted_at_us', (extract(epoch from noted_at) * 1000000)::bigint
    )::text
from ledger.reference;

-- The digest of a block: over the digest before it and the digest of each of its transfers, in the order of their ids,
-- then of each of its notes, in the order of their numbers.
create or replace function ledger.digest_block(
    previous bytea, first_id bigint, last_id bigint, first_note_id bigint, last_note_id bigint
)
returns table (digest bytea, transfer_count bigint, note_count bigint)
language sql stable as $$
    select sha256(previous || t.digests || n.digests), t.line_count, n.line_count
    from (
        select count(*) as line_count,
               coalesce(string_agg(sha256(convert_to(l.line, 'UTF8')), ''::bytea order by l.transfer_id), '') as digests
        from ledger.v_line l
        where l.transfer_id between first_id and last_id
    ) t
    cross join (
        select count(*) as line_count,
               coalesce(string_agg(sha256(convert_to(o.line, 'UTF8')), ''::bytea
                                   order by o.number, o.note collate "C"), '') as digests
        from ledger.v_note o
        where o.number between first_note_id and last_note_id
    ) n
$$;
