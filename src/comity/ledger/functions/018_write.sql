-- Write the entries of what was posted: two of what moves, two of the money booked with it.
create or replace function ledger.write_entries(
    ids bigint[], debits bigint[], credits bigint[], amounts bigint[], debit_afters bigint[], credit_afters bigint[],
    money_debits bigint[], money_credits bigint[], money_amounts bigint[], verdicts text[]
) returns void
language plpgsql as $$
begin
    insert into ledger.entry (transfer_id, account_id, amount, balance_after, leg)
    select p.id, leg.account_id, leg.amount, leg.balance_after, leg.number
    from unnest(ids, debits, credits, amounts, debit_afters, credit_afters, money_debits, money_credits, money_amounts,
                verdicts)
        as p(id, debit, credit, amount, debit_after, credit_after, money_debit, money_credit, money_amount, verdict)
    cross join lateral (values
        (p.debit, -p.amount, p.debit_after, 1), (p.credit, p.amount, p.credit_after, 1),
        (p.money_debit, -p.money_amount, null, 2), (p.money_credit, p.money_amount, null, 2)
    ) as leg(account_id, amount, balance_after, number)
    where p.verdict = 'posted' and leg.amount is not null;
end
$$;

-- Write which lots entries are made of, and the open rests after them.
-- Takes the lots that only appeared, the lines of lots (each names a holding by its place), and the holdings, as they
-- are and as they are stored (null: not at all). Days without end are infinity there and null in the table.
create or replace function ledger.write_lots(
    new_lots bigint[], new_accounts bigint[], new_amounts bigint[], expires_ons date[], available_froms date[],
    nodes int[], transfers bigint[], amounts bigint[],
    accounts bigint[], lots bigint[], rests bigint[], olds bigint[], expires date[], availables date[]
) returns void
language plpgsql as $$
begin
    insert into ledger.holding (account_id, lot_id, rest, expires_on, available_from)
    select f.account_id, f.lot_id, f.rest, f.expires_on, f.available_from
    from unnest(new_accounts, new_lots, new_amounts, expires_ons, available_froms)
        as f(account_id, lot_id, rest, expires_on, available_from)
    where f.rest is not null;

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
