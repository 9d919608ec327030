-- Say of each posting what is known before any balance is looked at: its key is taken (a duplicate, or another
-- request), it makes no sense, or what it reverses has been reversed.
-- Takes the arrays of ledger.post. Returns one row of arrays: the posting before with the same key, or null; transfer
-- and balances of the first time; the verdict, or null as long as nothing speaks against posting.
create or replace function ledger.judge(
    keys text[], requests text[], debits bigint[], credits bigint[], amounts bigint[], kinds text[], reasons text[],
    systems text[], external_ids text[], reverses bigint[], reversal_numbers int[], money_debits bigint[],
    money_credits bigint[], money_amounts bigint[], expires_ons date[], available_froms date[],
    out former int[], out ids bigint[], out debit_afters bigint[], out credit_afters bigint[], out verdicts text[]
)
language plpgsql as $$
#variable_conflict use_column
declare
    wrong_money text[];       -- pairs of accounts that no money can be booked between
    wrong_verdicts text[];    -- and why not
begin
    if cardinality(money_amounts) > 0 then
        select array_agg(q.pair), array_agg(q.verdict) into wrong_money, wrong_verdicts
        from (
            select m.debit || ' ' || m.credit as pair,
                   case when d.account_id is null or c.account_id is null then 'unknown_account' else 'invalid' end
                       as verdict
            from (select distinct u.debit, u.credit from unnest(money_debits, money_credits) as u(debit, credit)) m
            left join ledger.account d on d.account_id = m.debit
            left join ledger.account c on c.account_id = m.credit
            where m.debit is not null
              and (d.unit = c.unit and d.kind = 'money' and c.kind = 'money' and m.debit <> m.credit) is not true
        ) q;
    end if;
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
                when w.debit = w.credit or w.amount not between 1 and 1000000000000000 or w.key = ''
                     or greatest(length(w.key), length(w.kind), length(w.reason), length(w.system),
                                 length(w.external_id)) > 500
                     or w.money_debit in (w.debit, w.credit) or w.money_credit in (w.debit, w.credit)
                     or w.money_amount not between 1 and 1000000000000000 then 'invalid'
                when wrong_money is not null and w.money_debit || ' ' || w.money_credit = any(wrong_money)
                    then wrong_verdicts[array_position(wrong_money, w.money_debit || ' ' || w.money_credit)]
                when w.reversed is not null and exists (
                    select from ledger.transfer r
                    where r.reverses_transfer_id = w.reversed and r.reversal_number >= w.number
                ) then 'already_reversed'
            end
            order by w.place)
    into former, ids, debit_afters, credit_afters, verdicts
    from (
        select u.*, lag(u.place::int) over (partition by u.key order by u.place) as former
        from unnest(keys, requests, debits, credits, amounts, reverses, reversal_numbers, kinds, reasons,
                    systems, external_ids, money_debits, money_credits, money_amounts, expires_ons,
                    available_froms)
            with ordinality as u(key, request, debit, credit, amount, reversed, number, kind, reason, system,
                                 external_id, money_debit, money_credit, money_amount, expires_on,
                                 available_from, place)
    ) w
    left join ledger.transfer t on t.idempotency_key = w.key;
end
$$;
