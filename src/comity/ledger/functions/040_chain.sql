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

-- The digest of a block: over the digest before it and the digest of each of its transfers, in the order of their ids.
create or replace function ledger.digest_block(previous bytea, first_id bigint, last_id bigint)
returns table (digest bytea, transfer_count bigint)
language sql stable as $$
    select sha256(previous || coalesce(string_agg(sha256(convert_to(l.line, 'UTF8')), ''::bytea order by l.transfer_id),
                                       ''::bytea)),
           count(*)
    from ledger.v_line l
    where l.transfer_id between first_id and last_id
$$;
