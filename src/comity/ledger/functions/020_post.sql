-- Post a batch in order and say for each posting what became of it.
-- Takes arrays of equal length (an empty one stands for nulls), and the pieces: which lots of how much a posting, by
-- its place, moves before any other. A request, where given, is what the key stands for; else that is accounts,
-- amount, kind, reason, source, what it reverses, money and terms. `takes`: 'any' takes pending and expired lots too,
-- 'named' nothing but the pieces, null what can be spent, soonest expiry first.
-- Returns one row per posting, in order: status, transfer and the stored balances after it.
-- Locks holders in the order of their ids, decides in memory, writes in bulk. No statement here joins two arrays, so
-- that a generic plan (which takes any array for short) is the right one for every batch.
create or replace function ledger.post(
    keys text[], requests text[], debits bigint[], credits bigint[], amounts bigint[], kinds text[], reasons text[],
    effective_ons date[], systems text[], external_ids text[], reverses bigint[], reversal_numbers int[],
    takes text[], may_owes boolean[], expires_ons date[], available_froms date[],
    money_debits bigint[], money_credits bigint[], money_amounts bigint[],
    piece_places int[], piece_lots bigint[], piece_amounts bigint[], piece_expires_ons date[],
    piece_available_froms date[], booked_at timestamptz
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
    slot_owes bigint[];       -- running
    slot_keeps boolean[];     -- true where points are kept by lots
    slot_firsts int[];        -- first holding of the account in the order of spending; 0: none, null: not loaded
    slot_heads int[];         -- the first of those that is not known to be empty
    slot_lasts int[];         -- the one before it; 0: none
    slot_tails int[];         -- the last one; 0: none
    locked_units text[];
    locked_days date[];
    verdicts text[];          -- null as long as nothing speaks against posting
    former int[];             -- the posting before this one with the same key in this batch, or null
    holder int[];             -- the posting of this batch that holds the key as of this one, or null
    ids bigint[];
    debit_afters bigint[];
    credit_afters bigint[];
    days date[];              -- what the posting counts on
    lot_amounts bigint[];
    loose_amounts bigint[];   -- of lots that nothing else in the batch touches
    piece_froms int[];        -- first and last piece of a posting
    piece_tos int[];
    -- Holdings: loaded or made here.
    h_count int;
    h_accounts bigint[];
    h_lots bigint[];
    h_rests bigint[];
    h_olds bigint[];          -- as stored; null: not stored
    h_expires date[];
    h_availables date[];
    h_nexts int[];
    -- Lines of lots to write.
    e_count int;
    e_first int;
    e_debit int;
    e_transfers bigint[];
    e_amounts bigint[];
    e_nodes int[];            -- the holding
    debit_slot int;
    credit_slot int;
    verdict text;
    debit_keeps boolean;
    credit_keeps boolean;
    h_former int;
    id bigint;
    lot bigint;
    day date;
    need bigint;              -- what no lot has been found for yet
    part bigint;
    due bigint;
    k int;
    d int;
    h int;
    attempts int := 0;
begin
    -- Sealing relies on it that who draws transfer ids is a running transaction that others can see.
    perform pg_current_xact_id();
    -- Closing a period waits for every batch that may still post into it.
    perform pg_advisory_xact_lock_shared(5495307170);
    for p in 1..cardinality(piece_places) loop
        if piece_froms[piece_places[p]] is null then
            piece_froms[piece_places[p]] := p;
        end if;
        piece_tos[piece_places[p]] := p;
    end loop;
    loop
        begin
            -- Statements of their own: what follows sees all that was committed before the locks were had.
            select a.units, a.balances, a.owes, a.keeps into slot_units, slot_balances, slot_owes, slot_keeps
            from ledger.lock_accounts(slot_ids) a;
            select array_agg(l.book || '/' || l.unit), array_agg(l.locked_through)
            into locked_units, locked_days
            from ledger.v_period l;

            select j.former, j.ids, j.debit_afters, j.credit_afters, j.verdicts
            into former, ids, debit_afters, credit_afters, verdicts
            from ledger.judge(
                keys, requests, debits, credits, amounts, kinds, reasons, systems, external_ids, reverses,
                reversal_numbers, money_debits, money_credits, money_amounts, expires_ons, available_froms) j;

            select l.accounts, l.lots, l.rests, l.rests, l.expires, l.availables, l.nexts, l.firsts, l.firsts, l.tails
            into h_accounts, h_lots, h_rests, h_olds, h_expires, h_availables, h_nexts, slot_firsts, slot_heads,
                 slot_tails
            from ledger.load_lots(slot_ids, slots, slot_keeps, slot_owes, verdicts, piece_froms, may_owes) l;
            slot_lasts := array_fill(0, array[cardinality(slot_ids)]);
            h_count := cardinality(h_accounts);
            lot_amounts := array_fill(null::bigint, array[n]);
            loose_amounts := lot_amounts;
            days := effective_ons;
            e_count := 0;
            holder := array_fill(null::int, array[n]);

            for i in 1..n loop
                h := holder[former[i]];
                if h is not null then
                    holder[i] := h;
                    verdicts[i] := case
                        when (requests[i], case when requests[i] is null then
                                row(debits[i], credits[i], amounts[i], kinds[i], reasons[i], systems[i],
                                    external_ids[i], reverses[i], money_debits[i], money_credits[i],
                                    money_amounts[i], expires_ons[i], available_froms[i])::text end)
                            is not distinct from (requests[h], case when requests[h] is null then
                                row(debits[h], credits[h], amounts[h], kinds[h], reasons[h], systems[h],
                                    external_ids[h], reverses[h], money_debits[h], money_credits[h],
                                    money_amounts[h], expires_ons[h], available_froms[h])::text end)
                        then 'duplicate' else 'key_reused' end;
                    ids[i] := ids[h];
                    debit_afters[i] := debit_afters[h];
                    credit_afters[i] := credit_afters[h];
                    continue;
                elsif verdicts[i] is not null then
                    continue;
                end if;

                debit_slot := slots[i];
                credit_slot := slots[n + i];
                verdict := case
                    when slot_units[debit_slot] is null or slot_units[credit_slot] is null then 'unknown_account'
                    when slot_units[debit_slot] <> slot_units[credit_slot] then 'invalid'
                    when slot_balances[debit_slot] < amounts[i] and may_owes[i] is not true
                         and (takes[i] is distinct from 'named' or not slot_keeps[debit_slot]) then 'insufficient'
                    when slot_balances[credit_slot] > 4000000000000000000
                         or slot_balances[debit_slot] < -4000000000000000000 then 'invalid'
                    else 'posted'
                end;
                debit_keeps := slot_keeps[debit_slot];
                credit_keeps := slot_keeps[credit_slot];
                day := effective_ons[i];
                if locked_units is not null then
                    day := greatest(day, locked_days[array_position(locked_units, slot_units[debit_slot])] + 1);
                end if;
                need := amounts[i];
                e_first := e_count;

                if debit_keeps and verdict = 'posted' then
                    -- First the lots that are named, then in the order of spending.
                    for p in coalesce(piece_froms[i], 1)..coalesce(piece_tos[i], 0) loop
                        k := slot_firsts[debit_slot];
                        while k > 0 and h_lots[k] <> piece_lots[p] loop
                            k := h_nexts[k];
                        end loop;
                        part := case when k > 0 then least(h_rests[k], piece_amounts[p], need) end;
                        if part > 0 then
                            h_rests[k] := h_rests[k] - part;
                            need := need - part;
                            e_count := e_count + 1;
                            e_nodes[e_count] := k;
                            e_amounts[e_count] := -part;
                        end if;
                    end loop;
                    k := case when takes[i] is distinct from 'named' then slot_heads[debit_slot] end;
                    while need > 0 and k > 0 loop
                        if h_rests[k] > 0 and (h_expires[k] > day and h_availables[k] <= day or takes[i] = 'any') then
                            part := least(h_rests[k], need);
                            h_rests[k] := h_rests[k] - part;
                            need := need - part;
                            e_count := e_count + 1;
                            e_nodes[e_count] := k;
                            e_amounts[e_count] := -part;
                        end if;
                        k := h_nexts[k];
                    end loop;
                    if need > 0 and (may_owes[i] is not true or credit_keeps and slot_owes[credit_slot] < need) then
                        for e in e_first + 1..e_count loop
                            h_rests[e_nodes[e]] := h_rests[e_nodes[e]] - e_amounts[e];
                        end loop;
                        e_count := e_first;
                        verdict := 'insufficient';
                    else
                        k := slot_heads[debit_slot];
                        while k > 0 and h_rests[k] <= 0 loop
                            slot_lasts[debit_slot] := k;
                            k := h_nexts[k];
                        end loop;
                        slot_heads[debit_slot] := k;
                    end if;
                end if;

                verdicts[i] := verdict;
                if verdict = 'posted' then
                    id := nextval('ledger.transfer_id');
                    holder[i] := i;
                    ids[i] := id;
                    days[i] := day;
                    slot_balances[debit_slot] := slot_balances[debit_slot] - amounts[i];
                    slot_balances[credit_slot] := slot_balances[credit_slot] + amounts[i];
                    e_debit := e_count;
                    if debit_keeps and need > 0 then
                        -- What is taken beyond the lots is a lot of a negative amount.
                        slot_owes[debit_slot] := slot_owes[debit_slot] + need;
                        h_count := h_count + 1;
                        h_accounts[h_count] := debits[i];
                        h_lots[h_count] := id;
                        h_rests[h_count] := -need;
                        h_expires[h_count] := 'infinity';
                        h_availables[h_count] := '-infinity';
                        h_nexts[h_count] := slot_firsts[debit_slot];
                        if slot_firsts[debit_slot] = slot_heads[debit_slot] then
                            slot_lasts[debit_slot] := h_count;
                        end if;
                        slot_firsts[debit_slot] := h_count;
                        e_count := e_count + 1;
                        e_nodes[e_count] := h_count;
                        e_amounts[e_count] := -need;
                    end if;
                    if credit_keeps and slot_firsts[credit_slot] is null then
                        lot_amounts[i] := need;
                        loose_amounts[i] := need;
                    elsif credit_keeps then
                        h_former := h_count;
                        -- Lots that move, or come back.
                        for p in case when debit_keeps then e_first + 1 else coalesce(piece_froms[i], 1) end
                              .. case when debit_keeps then e_debit else coalesce(piece_tos[i], 0) end loop
                            if debit_keeps then
                                d := e_nodes[p];
                                lot := h_lots[d];
                                part := -e_amounts[p];
                            else
                                d := null;
                                lot := piece_lots[p];
                                part := least(piece_amounts[p], need);
                                need := need - part;
                            end if;
                            k := slot_firsts[credit_slot];
                            while k > 0 and h_lots[k] <> lot loop
                                k := h_nexts[k];
                            end loop;
                            if k = 0 then
                                h_count := h_count + 1;
                                k := h_count;
                                h_accounts[k] := credits[i];
                                h_lots[k] := lot;
                                h_rests[k] := part;
                                h_expires[k] := case
                                    when d is null then coalesce(piece_expires_ons[p], 'infinity')
                                    else h_expires[d] end;
                                h_availables[k] := case
                                    when d is null then coalesce(piece_available_froms[p], '-infinity')
                                    else h_availables[d] end;
                            else
                                h_rests[k] := h_rests[k] + part;
                                slot_heads[credit_slot] := slot_firsts[credit_slot];
                                slot_lasts[credit_slot] := 0;
                            end if;
                            e_count := e_count + 1;
                            e_nodes[e_count] := k;
                            e_amounts[e_count] := part;
                        end loop;
                        if need > 0 and not debit_keeps then
                            lot_amounts[i] := need;
                            h_count := h_count + 1;
                            h_accounts[h_count] := credits[i];
                            h_lots[h_count] := id;
                            h_rests[h_count] := need;
                            h_expires[h_count] := coalesce(expires_ons[i], 'infinity');
                            h_availables[h_count] := coalesce(available_froms[i], '-infinity');
                        end if;
                        -- The new ones take their places among the account's lots.
                        for m in h_former + 1..h_count loop
                            d := slot_lasts[credit_slot];
                            k := slot_heads[credit_slot];
                            if slot_tails[credit_slot] > 0
                               and (h_expires[slot_tails[credit_slot]], h_lots[slot_tails[credit_slot]])
                                   < (h_expires[m], h_lots[m]) then
                                d := slot_tails[credit_slot];
                                k := 0;
                            end if;
                            while k > 0 and (h_expires[k], h_lots[k]) < (h_expires[m], h_lots[m]) loop
                                d := k;
                                k := h_nexts[k];
                            end loop;
                            h_nexts[m] := k;
                            if d > 0 then h_nexts[d] := m; else slot_firsts[credit_slot] := m; end if;
                            if k = 0 then slot_tails[credit_slot] := m; end if;
                            if k = slot_heads[credit_slot] then slot_heads[credit_slot] := m; end if;
                        end loop;
                        -- Debts are paid first: by a debt that takes their place, then by the lots that expire soonest.
                        if slot_owes[credit_slot] > 0 then
                            due := least(slot_owes[credit_slot], amounts[i]);
                            need := case when debit_keeps then need else 0 end;
                            slot_owes[credit_slot] := slot_owes[credit_slot] - due;
                            d := slot_firsts[credit_slot];
                            k := slot_heads[credit_slot];
                            while d > 0 and due > 0 loop
                                if h_rests[d] >= 0 then
                                    d := h_nexts[d];
                                    continue;
                                end if;
                                if need > 0 then
                                    part := least(-h_rests[d], need);
                                    need := need - part;
                                else
                                    while k > 0 and (h_rests[k] <= 0 or h_expires[k] <= day) loop
                                        k := h_nexts[k];
                                    end loop;
                                    exit when k = 0;
                                    part := least(-h_rests[d], h_rests[k], due);
                                    h_rests[k] := h_rests[k] - part;
                                    e_count := e_count + 1;
                                    e_nodes[e_count] := k;
                                    e_amounts[e_count] := -part;
                                end if;
                                h_rests[d] := h_rests[d] + part;
                                due := due - part;
                                e_count := e_count + 1;
                                e_nodes[e_count] := d;
                                e_amounts[e_count] := part;
                            end loop;
                            slot_owes[credit_slot] := slot_owes[credit_slot] + due;
                        end if;
                    end if;
                    for e in e_first + 1..e_count loop
                        e_transfers[e] := id;
                    end loop;
                end if;
                debit_afters[i] := slot_balances[debit_slot];
                credit_afters[i] := slot_balances[credit_slot];
            end loop;

            -- In the order of the keys, so that two batches that want the same keys wait instead of deadlocking.
            insert into ledger.transfer (
                transfer_id, idempotency_key, request_hash, debit_account_id, credit_account_id, amount,
                debit_balance_after, credit_balance_after, kind, reason, effective_on, original_on, booked_at, system,
                external_id, reverses_transfer_id, reversal_number, lot_amount, expires_on, available_from,
                money_debit_account_id, money_credit_account_id, money_amount)
            select p.id, p.key, sha256(convert_to(p.request, 'UTF8')), p.debit, p.credit, p.amount,
                   p.debit_after, p.credit_after, p.kind, p.reason, p.day, nullif(p.effective_on, p.day),
                   post.booked_at, p.system, p.external_id, p.reversed, p.number, p.lot_amount, p.expires_on,
                   p.available_from, p.money_debit, p.money_credit, p.money_amount
            from unnest(ids, keys, requests, debits, credits, amounts, debit_afters, credit_afters, kinds, reasons,
                        days, effective_ons, systems, external_ids, reverses, reversal_numbers, lot_amounts,
                        expires_ons, available_froms, money_debits, money_credits, money_amounts, verdicts)
                as p(id, key, request, debit, credit, amount, debit_after, credit_after, kind, reason, day,
                     effective_on, system, external_id, reversed, number, lot_amount, expires_on, available_from,
                     money_debit, money_credit, money_amount, verdict)
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

    perform ledger.write_entries(
        ids, debits, credits, amounts, debit_afters, credit_afters, money_debits, money_credits, money_amounts,
        verdicts);
    perform ledger.write_lots(
        ids, credits, loose_amounts, expires_ons, available_froms, e_nodes[:e_count], e_transfers[:e_count],
        e_amounts[:e_count], h_accounts, h_lots, h_rests, h_olds, h_expires, h_availables);
    update ledger.account a set balance = s.balance, owed = s.owed
    from unnest(slot_ids, slot_balances, slot_owes) as s(account_id, balance, owed)
    where a.account_id = s.account_id and (a.balance, a.owed) <> (s.balance, s.owed);
    return query select * from unnest(verdicts, ids, debit_afters, credit_afters);
end
$$;
