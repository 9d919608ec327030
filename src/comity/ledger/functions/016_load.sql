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
-- given back.
-- Takes arrays of ledger.post. Returns one row of arrays: the holdings, each linked to the next of its account in the
-- order of spending, and for each account its first and last one (0: none; first null: not loaded).
create or replace function ledger.load_lots(
    slot_ids bigint[], slots int[], slot_keeps boolean[], slot_owes bigint[], verdicts text[], piece_froms int[],
    may_owes boolean[],
    out accounts bigint[], out lots bigint[], out rests bigint[], out expires date[], out availables date[],
    out nexts int[], out firsts int[], out tails int[]
)
language plpgsql as $$
declare
    n constant int := cardinality(verdicts);
    debit_slot int;
    credit_slot int;
begin
    firsts := array_fill(null::int, array[cardinality(slot_ids)]);
    for i in 1..n loop
        if verdicts[i] is null then
            debit_slot := slots[i];
            credit_slot := slots[n + i];
            if slot_keeps[debit_slot] then
                firsts[debit_slot] := 0;
            end if;
            if slot_keeps[credit_slot] and (
                slot_keeps[debit_slot] or slot_owes[credit_slot] > 0 or piece_froms[i] is not null or may_owes[i]
            ) then
                firsts[credit_slot] := 0;
            end if;
        end if;
    end loop;
    select coalesce(array_agg(q.account_id), '{}'), array_agg(q.lot_id), array_agg(q.rest), array_agg(q.expires_on),
           array_agg(q.available_from), coalesce(array_agg(q.slot), '{}')
    into accounts, lots, rests, expires, availables, nexts
    from (
        select s.slot::int as slot, o.account_id, o.lot_id, o.rest, coalesce(o.expires_on, 'infinity') as expires_on,
               coalesce(o.available_from, '-infinity') as available_from
        from unnest(slot_ids, firsts) with ordinality as s(account_id, first, slot)
        join ledger.holding o on o.account_id = s.account_id
        where s.first = 0
        order by s.slot, expires_on, o.lot_id
    ) q;
    tails := firsts;
    for k in reverse cardinality(nexts)..1 loop
        debit_slot := nexts[k];
        if tails[debit_slot] = 0 then
            tails[debit_slot] := k;
        end if;
        nexts[k] := firsts[debit_slot];
        firsts[debit_slot] := k;
    end loop;
end
$$;
