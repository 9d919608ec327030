-- Post a batch in order and say for each posting what became of it.
-- Takes the postings, the accounts they name (ascending; `debit_slot` and `credit_slot` are places in it), and the
-- pieces: which lots of how much a posting, by its place, moves before any other (a debt of who is credited: pays). A request, where given, is what the
-- key stands for; else that is accounts, amount, kind, reason, source, what it reverses, money and terms. `takes`: 'any'
-- takes pending and expired lots too, 'named' nothing but the pieces, null what can be spent, soonest expiry before.
-- Returns one row per posting, in order: status, transfer and the stored balances after it.
-- Locks holders in the order of their ids, decides in memory, writes in bulk. Keys are taken for new until the table
-- says otherwise: then it decides again, knowing those that are taken. No statement here joins two arrays, so that a
-- generic plan (which takes any array for short) is the right one for every batch; and none unnests many arrays side by
-- side, which costs more than the work.
create or replace function ledger.post(
    batch ledger.posting[], slot_ids bigint[],
    piece_places int[], piece_lots bigint[], piece_amounts bigint[], piece_expires_ons date[],
    piece_available_froms date[], booked_at timestamptz
) returns table (status text, transfer_id bigint, debit_balance_after bigint, credit_balance_after bigint)
language plpgsql as $$
#variable_conflict use_column
declare
    n constant int := cardinality(batch);
    p record;                 -- the posting in hand
    i int;                    -- its place
    before record;            -- the one of this batch that holds its key
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
    wrong_pairs text[];       -- pairs of accounts that no money can be booked between
    wrong_verdicts text[];    -- and why not
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
    day date;                 -- what the posting asks for: it says which lots can be spent, also where the day is closed
    need bigint;              -- what no lot has been found for yet
    part bigint;
    due bigint;
    settled bigint;           -- of debts that are named
    k int;
    d int;
    h int;
    attempts int := 0;
begin
    -- Sealing relies on it that who draws transfer ids is a running transaction that others can see.
    perform pg_current_xact_id();
    -- Closing a period waits for every batch that may still post into it.
    perform pg_advisory_xact_lock_shared(5495307170);
    for w in 1..cardinality(piece_places) loop
        if piece_froms[piece_places[w]] is null then
            piece_froms[piece_places[w]] := w;
        end if;
        piece_tos[piece_places[w]] := w;
    end loop;
    select m.pairs, m.reasons into wrong_pairs, wrong_verdicts from ledger.judge_money(batch) m;
    <<deciding>>
    loop
        begin
            -- Statements of their own: what follows sees all that was committed before the locks were had.
            select a.units, a.balances, a.owes, a.keeps into slot_units, slot_balances, slot_owes, slot_keeps
            from ledger.lock_accounts(slot_ids) a;
            select array_agg(l.book || '/' || l.unit), array_agg(l.locked_through)
            into locked_units, locked_days
            from ledger.v_period l;

            if attempts = 0 then
                former := array_fill(null::int, array[n]);
                ids := array_fill(null::bigint, array[n]);
                debit_afters := ids;
                credit_afters := ids;
                verdicts := array_fill(null::text, array[n]);
            else
                select j.former, j.ids, j.debit_afters, j.credit_afters, j.verdicts
                into former, ids, debit_afters, credit_afters, verdicts
                from ledger.judge_keys(batch) j;
            end if;

            select l.accounts, l.lots, l.rests, l.rests, l.expires, l.availables, l.nexts, l.firsts, l.firsts, l.tails
            into h_accounts, h_lots, h_rests, h_olds, h_expires, h_availables, h_nexts, slot_firsts, slot_heads,
                 slot_tails
            from ledger.load_lots(batch, slot_ids, slot_keeps, slot_owes, piece_froms) l;
            slot_lasts := array_fill(0, array[cardinality(slot_ids)]);
            h_count := cardinality(h_accounts);
            lot_amounts := array_fill(null::bigint, array[n]);
            loose_amounts := lot_amounts;
            days := array_fill(null::date, array[n]);
            e_count := 0;
            holder := array_fill(null::int, array[n]);
            i := 0;

            foreach p in array batch loop
                i := i + 1;
                if p.reversed is not null and attempts = 0 then
                    attempts := 1;
                    continue deciding;
                end if;
                h := holder[former[i]];
                if h is not null then
                    holder[i] := h;
                    before := batch[h];
                    verdicts[i] := case
                        when (p.request, case when p.request is null then
                                row(p.debit, p.credit, p.amount, p.kind, p.reason, p.system, p.external_id, p.reversed,
                                    p.money_debit, p.money_credit, p.money_amount, p.expires_on,
                                    p.available_from)::text end)
                            is not distinct from (before.request, case when before.request is null then
                                row(before.debit, before.credit, before.amount, before.kind, before.reason, before.system,
                                    before.external_id, before.reversed, before.money_debit, before.money_credit,
                                    before.money_amount, before.expires_on, before.available_from)::text end)
                        then 'duplicate' else 'key_reused' end;
                    ids[i] := ids[h];
                    debit_afters[i] := debit_afters[h];
                    credit_afters[i] := credit_afters[h];
                    continue;
                elsif verdicts[i] is not null then
                    continue;
                end if;

                debit_slot := p.debit_slot;
                credit_slot := p.credit_slot;
                verdict := case
                    when p.debit = p.credit or p.amount not between 1 and 1000000000000000 or p.key = ''
                         or greatest(length(p.key), length(p.kind), length(p.reason), length(p.system),
                                     length(p.external_id)) > 500
                         or p.money_debit in (p.debit, p.credit) or p.money_credit in (p.debit, p.credit)
                         or p.money_amount not between 1 and 1000000000000000 then 'invalid'
                    when wrong_pairs is not null and p.money_debit || ' ' || p.money_credit = any(wrong_pairs)
                        then wrong_verdicts[array_position(wrong_pairs, p.money_debit || ' ' || p.money_credit)]
                    when slot_units[debit_slot] is null or slot_units[credit_slot] is null then 'unknown_account'
                    when slot_units[debit_slot] <> slot_units[credit_slot] then 'invalid'
                    when slot_balances[debit_slot] < p.amount and p.may_owe is not true
                         and (p.takes is distinct from 'named' or not slot_keeps[debit_slot]) then 'insufficient'
                    when slot_balances[credit_slot] > 4000000000000000000
                         or slot_balances[debit_slot] < -4000000000000000000 then 'invalid'
                    else 'posted'
                end;
                debit_keeps := slot_keeps[debit_slot];
                credit_keeps := slot_keeps[credit_slot];
                day := p.effective_on;
                need := p.amount;
                e_first := e_count;

                if debit_keeps and verdict = 'posted' then
                    -- First the lots that are named, then in the order of spending.
                    for w in coalesce(piece_froms[i], 1)..coalesce(piece_tos[i], 0) loop
                        k := slot_firsts[debit_slot];
                        while k > 0 and h_lots[k] <> piece_lots[w] loop
                            k := h_nexts[k];
                        end loop;
                        part := case when k > 0 then least(h_rests[k], piece_amounts[w], need) end;
                        if part > 0 then
                            h_rests[k] := h_rests[k] - part;
                            need := need - part;
                            e_count := e_count + 1;
                            e_nodes[e_count] := k;
                            e_amounts[e_count] := -part;
                        end if;
                    end loop;
                    k := case when p.takes is distinct from 'named' then slot_heads[debit_slot] end;
                    while need > 0 and k > 0 loop
                        if h_rests[k] > 0 and (h_expires[k] > day and h_availables[k] <= day or p.takes = 'any') then
                            part := least(h_rests[k], need);
                            h_rests[k] := h_rests[k] - part;
                            need := need - part;
                            e_count := e_count + 1;
                            e_nodes[e_count] := k;
                            e_amounts[e_count] := -part;
                        end if;
                        k := h_nexts[k];
                    end loop;
                    if need > 0 and (p.may_owe is not true or credit_keeps and slot_owes[credit_slot] < need) then
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
                    if locked_units is not null then
                        days[i] := greatest(day, locked_days[array_position(locked_units, slot_units[debit_slot])] + 1);
                    end if;
                    slot_balances[debit_slot] := slot_balances[debit_slot] - p.amount;
                    slot_balances[credit_slot] := slot_balances[credit_slot] + p.amount;
                    e_debit := e_count;
                    if debit_keeps and need > 0 then
                        -- What is taken beyond the lots is a lot of a negative amount.
                        slot_owes[debit_slot] := slot_owes[debit_slot] + need;
                        h_count := h_count + 1;
                        h_accounts[h_count] := p.debit;
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
                        settled := 0;
                        -- Lots that move, or come back.
                        for w in case when debit_keeps then e_first + 1 else coalesce(piece_froms[i], 1) end
                              .. case when debit_keeps then e_debit else coalesce(piece_tos[i], 0) end loop
                            if debit_keeps then
                                d := e_nodes[w];
                                lot := h_lots[d];
                                part := -e_amounts[w];
                            else
                                d := null;
                                lot := piece_lots[w];
                                part := least(piece_amounts[w], need);
                                need := need - part;
                            end if;
                            k := slot_firsts[credit_slot];
                            while k > 0 and h_lots[k] <> lot loop
                                k := h_nexts[k];
                            end loop;
                            if k = 0 then
                                h_count := h_count + 1;
                                k := h_count;
                                h_accounts[k] := p.credit;
                                h_lots[k] := lot;
                                h_rests[k] := part;
                                h_expires[k] := case
                                    when d is null then coalesce(piece_expires_ons[w], 'infinity')
                                    else h_expires[d] end;
                                h_availables[k] := case
                                    when d is null then coalesce(piece_available_froms[w], '-infinity')
                                    else h_availables[d] end;
                            else
                                if h_rests[k] < 0 then
                                    settled := settled + least(part, -h_rests[k]);
                                end if;
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
                            h_accounts[h_count] := p.credit;
                            h_lots[h_count] := id;
                            h_rests[h_count] := need;
                            h_expires[h_count] := coalesce(p.expires_on, 'infinity');
                            h_availables[h_count] := coalesce(p.available_from, '-infinity');
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
                        slot_owes[credit_slot] := slot_owes[credit_slot] - settled;
                        if slot_owes[credit_slot] > 0 then
                            due := least(slot_owes[credit_slot], p.amount - settled);
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

            -- What is refused may have been posted before, with a key that is taken.
            if attempts = 0 and array_position(holder, null) > 0 and ledger.is_repeated(batch, verdicts) then
                attempts := 1;
                continue deciding;
            end if;

            perform ledger.write_transfers(
                batch, ids, debit_afters, credit_afters, days, lot_amounts, verdicts, post.booked_at);
            exit;
        exception when unique_violation then
            -- Another transaction took a key or a reversal while we waited: decide again, now knowing it.
            attempts := attempts + 1;
            if attempts >= 5 then
                raise;
            end if;
        end;
    end loop;

    perform ledger.write_lots(
        batch, ids, loose_amounts, e_nodes[:e_count], e_transfers[:e_count], e_amounts[:e_count], h_accounts, h_lots,
        h_rests, h_olds, h_expires, h_availables);
    update ledger.account a set balance = s.balance, owed = s.owed
    from unnest(slot_ids, slot_balances, slot_owes) as s(account_id, balance, owed)
    where a.account_id = s.account_id and (a.balance, a.owed) <> (s.balance, s.owed);
    return query select * from unnest(verdicts, ids, debit_afters, credit_afters);
end
$$;
