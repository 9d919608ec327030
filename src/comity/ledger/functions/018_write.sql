-- Write what was posted, in the order of the keys, so that two batches that want the same keys wait instead of
-- deadlocking.
create or replace function ledger.write_transfers(
    batch ledger.posting[], ids bigint[], debit_afters bigint[], credit_afters bigint[], days date[],
    lot_amounts bigint[], verdicts text[], booked_at timestamptz
) returns void
language plpgsql as $$
begin
    insert into ledger.transfer (
        transfer_id, idempotency_key, request_hash, debit_account_id, credit_account_id, amount, debit_balance_after,
        credit_balance_after, kind, reason, effective_on, original_on, booked_at, system, external_id,
        reverses_transfer_id, reversal_number, lot_amount, expires_on, available_from, money_debit_account_id,
        money_credit_account_id, money_amount)
    select w.id, w.key, sha256(convert_to(w.request, 'UTF8')), w.debit, w.credit, w.amount, w.debit_after,
           w.credit_after, w.kind, w.reason, w.day, nullif(w.effective_on, w.day), write_transfers.booked_at, w.system,
           w.external_id, w.reversed, w.number, w.lot_amount, w.expires_on, w.available_from, w.money_debit,
           w.money_credit, w.money_amount
    from unnest(batch, ids, debit_afters, credit_afters, days, lot_amounts, verdicts) as w(
        key, request, debit_slot, credit_slot, debit, credit, amount, kind, reason, effective_on, system, external_id,
        reversed, number, takes, may_owe, expires_on, available_from, money_debit, money_credit, money_amount, id,
        debit_after, credit_after, day, lot_amount, verdict)
    where w.verdict = 'posted'
    order by w.key;
end
$$;

-- Write which lots entries are made of, and the open rests after them.
-- Takes by posting the lots that only appeared, the lines of lots (each names a holding by its place), and the
-- holdings, as they are and as they are stored (null: not at all). Days without end are infinity there and null in the
-- table.
create or replace function ledger.write_lots(
    batch ledger.posting[], new_lots bigint[], new_amounts bigint[],
    nodes int[], transfers bigint[], amounts bigint[],
    accounts bigint[], lots bigint[], rests bigint[], olds bigint[], expires date[], availables date[]
) returns void
language plpgsql as $$
begin
    insert into ledger.holding (account_id, lot_id, rest, expires_on, available_from)
    select p.credit, p.new_lot, p.new_amount, p.expires_on, p.available_from
    from unnest(batch, new_lots, new_amounts) as p(
        key, request, debit_slot, credit_slot, debit, credit, amount, kind, reason, effective_on, system, external_id,
        reversed, number, takes, may_owe, expires_on, available_from, money_debit, money_credit, money_amount,
        new_lot, new_amount)
    where p.new_amount is not null;

    if accounts is null or cardinality(accounts) = 0 then
        return;
    end if;

    insert into ledger.lot_entry (lot_id, account_id, transfer_id, amount)
    select lots[e.node], accounts[e.node], e.transfer_id, sum(e.amount)
    from unnest(nodes, transfers, amounts) as e(node, transfer_id, amount)
    group by lots[e.node], accounts[e.node], e.transfer_id
    having sum(e.amount) <> 0;

    insert into ledger.holding (account_id, lot_id, rest, expires_on, available_from)
    select f.account_id, f.lot_id, f.rest, nullif(f.expires_on, 'infinity'), nullif(f.available_from, '-infinity')
    from unnest(accounts, lots, rests, olds, expires, availables)
        as f(account_id, lot_id, rest, old, expires_on, available_from)
    where f.old is null and f.rest <> 0;

    update ledger.holding o set rest = f.rest
    from unnest(accounts, lots, rests, olds) as f(account_id, lot_id, rest, old)
    where f.old <> f.rest and f.rest <> 0 and (o.account_id, o.lot_id) = (f.account_id, f.lot_id);

    delete from ledger.holding o
    using unnest(accounts, lots, rests, olds) as f(account_id, lot_id, rest, old)
    where f.old <> 0 and f.rest = 0 and (o.account_id, o.lot_id) = (f.account_id, f.lot_id);
end
$$;
