-- Say which pairs of accounts of a batch no money can be booked between, and why not.
create or replace function ledger.judge_money(batch ledger.posting[], out pairs text[], out reasons text[])
language plpgsql as $$
begin
    select
        array_agg(m.debit || ' ' || m.credit),
        array_agg(case when d.account_id is null or c.account_id is null then 'unknown_account' else 'invalid' end)
    into pairs, reasons
    from (
        select distinct w.money_debit as debit, w.money_credit as credit
        from unnest(batch) w
        where w.money_debit is not null
    ) m
    left join ledger.account d on d.account_id = m.debit
    left join ledger.account c on c.account_id = m.credit
    where (d.unit = c.unit and d.kind = 'money' and c.kind = 'money' and m.debit <> m.credit) is not true;
end
$$;

-- Say whether a key comes twice in a batch, or what is refused has been posted before.
create or replace function ledger.is_repeated(batch ledger.posting[], verdicts text[]) returns boolean
language plpgsql as $$
begin
    return (select count(distinct w.key) from unnest(batch) w) < cardinality(batch) or exists (
        select
        from unnest(array(
            select w.key
            from unnest(batch, verdicts) as w(
                key, request, debit_slot, credit_slot, debit, credit, amount, kind, reason, effective_on, system,
                external_id, reversed, number, takes, may_owe, expires_on, available_from, money_debit, money_credit,
                money_amount, verdict)
            where w.verdict <> 'posted'
        )) as r(key)
        join ledger.transfer t on t.idempotency_key = r.key);
end
$$;

-- Say of each posting whether its key is taken (a duplicate, or another request) or what it reverses has been reversed.
-- Returns one row of arrays: the posting before with the same key, or null; transfer and balances of the first time; the
-- verdict, or null as long as nothing speaks against posting.
create or replace function ledger.judge_keys(
    batch ledger.posting[],
    out former int[], out ids bigint[], out debit_afters bigint[], out credit_afters bigint[], out verdicts text[]
)
language plpgsql as $$
#variable_conflict use_column
begin
    select
        array_agg(w.former order by w.place),
        array_agg(t.transfer_id order by w.place),
        array_agg(t.debit_balance_after order by w.place),
        array_agg(t.credit_balance_after order by w.place),
        array_agg(
            case
                when t.transfer_id is not null then case
                    when case
                        when w.request is not null then t.request_hash = sha256(convert_to(w.request, 'UTF8'))
                        else t.request_hash is null
                            and (t.debit_account_id, t.credit_account_id, t.amount, t.kind, t.reason, t.system,
                                 t.external_id) = (w.debit, w.credit, w.amount, w.kind, w.reason, w.system,
                                                   w.external_id)
                            and (t.reverses_transfer_id, t.money_debit_account_id, t.money_credit_account_id,
                                 t.money_amount, t.expires_on, t.available_from)
                                is not distinct from (w.reversed, w.money_debit, w.money_credit, w.money_amount,
                                                      w.expires_on, w.available_from)
                        end then 'duplicate' else 'key_reused' end
                when w.reversed is not null and exists (
                    select from ledger.transfer r
                    where r.reverses_transfer_id = w.reversed and r.reversal_number >= w.number
                ) then 'already_reversed'
            end
            order by w.place)
    into former, ids, debit_afters, credit_afters, verdicts
    from (
        select p.*, lag(p.place::int) over (partition by p.key order by p.place) as former
        from unnest(batch) with ordinality as p(
            key, request, debit_slot, credit_slot, debit, credit, amount, kind, reason, effective_on, system,
            external_id, reversed, number, takes, may_owe, expires_on, available_from, money_debit, money_credit,
            money_amount, place)
    ) w
    left join ledger.transfer t on t.idempotency_key = w.key;
end
$$;
