-- Lock the holders among accounts, in the order given.
-- Takes account ids, ascending. Returns one row of arrays: book and unit (null: no such account), stored balance (null:
-- none is stored), what is owed, whether points are kept by lots.
create or replace function ledger.lock_accounts(
    account_ids bigint[], out units text[], out balances bigint[], out owes bigint[], out keeps boolean[]
)
language plpgsql as $$
begin
    select array_agg(g.unit order by s.slot), array_agg(g.balance order by s.slot),
           array_agg(coalesce(g.owed, 0) order by s.slot), array_agg(coalesce(g.keeps, false) order by s.slot)
    into units, balances, owes, keeps
    from unnest(account_ids) with ordinality as s(account_id, slot)
    left join lateral (
        select a.book || '/' || a.unit as unit, a.balance, a.owed, a.book = 'points' as keeps
        from ledger.account a
        where a.account_id = s.account_id and a.balance is not null for no key update
    ) g on true;
    for slot in 1..cardinality(account_ids) loop
        if units[slot] is null then
            units[slot] := (
                select a.book || '/' || a.unit from ledger.account a where a.account_id = account_ids[slot]);
        end if;
    end loop;
end
$$;

-- Load the open lots of accounts that a batch needs them of: who is debited or in debt, and where lots are moved or
-- given back (`piece_froms`, by posting, is not null where pieces are named).
-- Returns one row of arrays: the holdings, each linked to the next of its account in the order of spending, and for each
-- account its first and last one (0: none; first null: not loaded).
create or replace function ledger.load_lots(
    batch ledger.posting[], slot_ids bigint[], slot_keeps boolean[], slot_owes bigint[], piece_froms int[],
    out accounts bigint[], out lots bigint[], out rests bigint[], out expires date[], out availables date[],
    out nexts int[], out firsts int[], out tails int[]
)
language plpgsql as $$
declare
    needed constant int[] := array(
        select p.debit_slot from unnest(batch) p where slot_keeps[p.debit_slot]
        union
        select p.credit_slot
        from unnest(batch) p
        where slot_keeps[p.credit_slot] and (slot_keeps[p.debit_slot] or slot_owes[p.credit_slot] > 0 or p.may_owe)
        union
        select w.credit_slot
        from unnest(batch, piece_froms) as w(
            key, request, debit_slot, credit_slot, debit, credit, amount, kind, reason, effective_on, system,
            external_id, reversed, number, takes, may_owe, expires_on, available_from, money_debit, money_credit,
            money_amount, piece)
        where w.piece is not null and slot_keeps[w.credit_slot]
        order by 1);
    slot int;
begin
    firsts := array_fill(null::int, array[cardinality(slot_ids)]);
    foreach slot in array needed loop
        firsts[slot] := 0;
    end loop;
    select coalesce(array_agg(q.account_id), '{}'), array_agg(q.lot_id), array_agg(q.rest), array_agg(q.expires_on),
           array_agg(q.available_from), coalesce(array_agg(q.slot), '{}')
    into accounts, lots, rests, expires, availables, nexts
    from (
        select s.slot, o.account_id, o.lot_id, o.rest, coalesce(o.expires_on, 'infinity') as expires_on,
               coalesce(o.available_from, '-infinity') as available_from
        from unnest(needed) as s(slot)
        join ledger.holding o on o.account_id = slot_ids[s.slot]
        order by s.slot, expires_on, o.lot_id
    ) q;
    tails := firsts;
    for k in reverse cardinality(nexts)..1 loop
        slot := nexts[k];
        if tails[slot] = 0 then
            tails[slot] := k;
        end if;
        nexts[k] := firsts[slot];
        firsts[slot] := k;
    end loop;
end
$$;
