-- Post a batch in order and say for each posting what became of it.
-- Takes arrays of equal length. A request, where given, is what the key stands for; else that is accounts, amount,
-- kind, reason, source and what it reverses.
-- Returns one row per posting, in order: status, transfer and the stored balances after it.
-- Locks the guarded accounts in the order of their ids, decides in memory, writes in bulk. No statement here joins
-- two arrays, so that a generic plan (which takes any array for short) is the right one for every batch.
create or replace function ledger.post(
    keys text[], requests text[], debits bigint[], credits bigint[], amounts bigint[], kinds text[], reasons text[],
    effective_ons date[], systems text[], external_ids text[], reverses bigint[], booked_at timestamptz
) returns table (status text, transfer_id bigint, debit_balance_after bigint, credit_balance_after bigint)
language plpgsql as $$
#variable_conflict use_column
declare
    n constant int := cardinality(keys);
    slot_ids constant bigint[] := array(select distinct u.id from unnest(debits || credits) as u(id) order by u.id);
    slots constant int[] := array(
        select r.slot::int
        from (
            select u.place, dense_rank() over (order by u.id) as slot
            from unnest(debits || credits) with ordinality as u(id, place)
        ) r
        order by r.place);    -- the place in slot_ids of the debited accounts, then of the credited ones
    slot_units text[];        -- null where there is no such account
    slot_balances bigint[];   -- running; null for accounts without a stored balance
    verdicts text[];          -- null as long as nothing speaks against posting
    former int[];             -- the posting before this one with the same key in this batch, or null
    holder int[];             -- the posting of this batch that holds the key as of this one, or null
    ids bigint[];
    debit_afters bigint[];
    credit_afters bigint[];
    debit_slot int;
    credit_slot int;
    h int;
    attempts int := 0;
begin
    loop
        begin
            -- A statement of its own: what follows sees all that was committed before the locks were had.
            select array_agg(g.unit order by s.slot), array_agg(g.balance order by s.slot)
            into slot_units, slot_balances
            from unnest(slot_ids) with ordinality as s(account_id, slot)
            left join lateral (
                select a.book || '/' || a.unit as unit, a.balance from ledger.account a
                where a.account_id = s.account_id and a.balance is not null for no key update
            ) g on true;

            for slot in 1..cardinality(slot_ids) loop
                if slot_units[slot] is null then
                    slot_units[slot] := (
                        select a.book || '/' || a.unit from ledger.account a where a.account_id = slot_ids[slot]);
                end if;
            end loop;

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
                                    and t.reverses_transfer_id is not distinct from w.reversed
                                end then 'duplicate' else 'key_reused' end
                        when w.debit = w.credit or w.amount not between 1 and 1000000000000000 or w.key = ''
                             or greatest(length(w.key), length(w.kind), length(w.reason), length(w.system),
                                         length(w.external_id)) > 500 then 'invalid'
                        when w.reversed is not null and exists (
                            select from ledger.transfer r where r.reverses_transfer_id = w.reversed
                        ) then 'already_reversed'
                    end
                    order by w.place)
            into former, ids, debit_afters, credit_afters, verdicts
            from (
                select u.*, lag(u.place::int) over (partition by u.key order by u.place) as former
                from unnest(keys, requests, debits, credits, amounts, reverses, kinds, reasons, systems, external_ids)
                    with ordinality as u(key, request, debit, credit, amount, reversed, kind, reason, system,
                                         external_id, place)
            ) w
            left join ledger.transfer t on t.idempotency_key = w.key;

            holder := array_fill(null::int, array[n]);
            for i in 1..n loop
                h := holder[former[i]];
                if h is not null then
                    holder[i] := h;
                    verdicts[i] := case
                        when (requests[i], case when requests[i] is null then
                                row(debits[i], credits[i], amounts[i], kinds[i], reasons[i], systems[i],
                                    external_ids[i], reverses[i])::text end)
                            is not distinct from (requests[h], case when requests[h] is null then
                                row(debits[h], credits[h], amounts[h], kinds[h], reasons[h], systems[h],
                                    external_ids[h], reverses[h])::text end)
                        then 'duplicate' else 'key_reused' end;
                    ids[i] := ids[h];
                    debit_afters[i] := debit_afters[h];
                    credit_afters[i] := credit_afters[h];
                elsif verdicts[i] is null then
                    debit_slot := slots[i];
                    credit_slot := slots[n + i];
                    verdicts[i] := case
                        when slot_units[debit_slot] is null or slot_units[credit_slot] is null then 'unknown_account'
                        when slot_units[debit_slot] <> slot_units[credit_slot] then 'invalid'
                        when slot_balances[debit_slot] < amounts[i] then 'insufficient'
                        when slot_balances[credit_slot] > 4000000000000000000 then 'invalid'
                        else 'posted'
                    end;
                    if verdicts[i] = 'posted' then
                        holder[i] := i;
                        ids[i] := nextval('ledger.transfer_id');
                        slot_balances[debit_slot] := slot_balances[debit_slot] - amounts[i];
                        slot_balances[credit_slot] := slot_balances[credit_slot] + amounts[i];
                    end if;
                    debit_afters[i] := slot_balances[debit_slot];
                    credit_afters[i] := slot_balances[credit_slot];
                end if;
            end loop;

            -- In the order of the keys, so that two batches that want the same keys wait instead of deadlocking.
            insert into ledger.transfer (
                transfer_id, idempotency_key, request_hash, debit_account_id, credit_account_id, amount,
                debit_balance_after, credit_balance_after, kind, reason, effective_on, booked_at, system, external_id,
                reverses_transfer_id)
            select p.id, p.key, sha256(convert_to(p.request, 'UTF8')), p.debit, p.credit, p.amount,
                   p.debit_after, p.credit_after, p.kind, p.reason, p.effective_on, post.booked_at, p.system,
                   p.external_id, p.reversed
            from unnest(ids, keys, requests, debits, credits, amounts, debit_afters, credit_afters, kinds, reasons,
                        effective_ons, systems, external_ids, reverses, verdicts)
                as p(id, key, request, debit, credit, amount, debit_after, credit_after, kind, reason,
                     effective_on, system, external_id, reversed, verdict)
            where p.verdict = 'posted'
            order by p.key;
            exit;
        exception when unique_violation then
            -- Another transaction took a key or a reversal while we waited: decide again, now knowing it.
            attempts := attempts + 1;
            if attempts >= 5 then
                raise;
            end if;
        end;
    end loop;

    insert into ledger.entry (transfer_id, account_id, amount, balance_after)
    select p.id, leg.account_id, leg.amount, leg.balance_after
    from unnest(ids, debits, credits, amounts, debit_afters, credit_afters, verdicts)
        as p(id, debit, credit, amount, debit_after, credit_after, verdict)
    cross join lateral (values (p.debit, -p.amount, p.debit_after), (p.credit, p.amount, p.credit_after))
        as leg(account_id, amount, balance_after)
    where p.verdict = 'posted';

    update ledger.account a set balance = s.balance
    from unnest(slot_ids, slot_balances) as s(account_id, balance)
    where a.account_id = s.account_id and a.balance <> s.balance;

    return query select * from unnest(verdicts, ids, debit_afters, credit_afters);
end
$$;
