-- Stored balances of holders, for rooms downstream.
create or replace view ledger.v_balance as
select account_id, balance from ledger.account where balance is not null;

-- Open lots of holders with their terms as they are now, for rooms downstream; a debt is a lot of a negative rest.
create or replace view ledger.v_holding as
select account_id, lot_id, rest, expires_on, available_from from ledger.holding;

-- Entries: each transfer is one line of the account it debits and one of the account it credits, in the money book too
-- where it books money. They are told from the transfer, not stored beside it, so that they cannot contradict it and
-- those of a transfer sum to zero in each book whatever is stored.
create or replace view ledger.v_entry as
select
    debit_account_id as account_id, transfer_id, -amount as amount, debit_balance_after as balance_after, kind, reason,
    effective_on, booked_at, system, external_id, reverses_transfer_id
from ledger.transfer
union all
select
    credit_account_id, transfer_id, amount, credit_balance_after, kind, reason, effective_on, booked_at, system,
    external_id, reverses_transfer_id
from ledger.transfer
union all
select
    money_debit_account_id, transfer_id, -money_amount, null, kind, reason, effective_on, booked_at, system,
    external_id, reverses_transfer_id
from ledger.transfer
where money_amount is not null
union all
select
    money_credit_account_id, transfer_id, money_amount, null, kind, reason, effective_on, booked_at, system,
    external_id, reverses_transfer_id
from ledger.transfer
where money_amount is not null;

-- Lots: what each accrual made, with the terms it was made with and the key of the source that earned it.
create or replace view ledger.v_lot as
select
    transfer_id as lot_id, credit_account_id as account_id, lot_amount as amount, expires_on,
    nullif(available_from, 'infinity') as available_from, available_from = 'infinity' as is_pending, effective_on,
    booked_at, kind, system, external_id
from ledger.transfer
where lot_amount is not null;

-- Every line of every lot: the accrual itself, what was taken of it and what came back, account by account.
create or replace view ledger.v_lot_entry as
select transfer_id as lot_id, credit_account_id as account_id, transfer_id, lot_amount as amount
from ledger.transfer
where lot_amount is not null
union all
select lot_id, account_id, transfer_id, amount from ledger.lot_entry;

-- The terms of lots as they are now.
create or replace view ledger.v_lot_term as
select
    l.lot_id,
    case when c.lot_id is null then l.expires_on else c.expires_on end as expires_on,
    case when c.lot_id is null then l.available_from else c.available_from end as available_from
from ledger.transfer t
cross join lateral (select t.transfer_id as lot_id, t.expires_on, t.available_from) l
left join lateral (
    select m.lot_id, m.expires_on, m.available_from
    from ledger.lot_term m
    where m.lot_id = t.transfer_id
    order by m.lot_term_id desc
    limit 1
) c on true
where t.lot_amount is not null;

-- Holds, and where they are now.
create or replace view ledger.v_hold as
select
    h.hold_id, coalesce(m.account_id, h.account_id) as account_id,
    coalesce(m.reserved_account_id, h.reserved_account_id) as reserved_account_id, h.account_id as first_account_id,
    h.amount, h.deadline_at
from ledger.hold h
left join lateral (
    select w.account_id, w.reserved_account_id
    from ledger.hold_move w
    where w.hold_id = h.hold_id
    order by w.transfer_id desc
    limit 1
) m on true;

-- What was captured of holds, from whom, and when it was reserved.
create or replace view ledger.v_capture as
select e.hold_id, h.account_id, e.captured, t.booked_at as reserved_at
from ledger.hold_end e
join ledger.v_hold h using (hold_id)
join ledger.transfer t on t.transfer_id = e.hold_id
where e.captured > 0;

-- Accounts that hold lots, and whose they are: what is reserved is that of the account it stands beside.
create or replace view ledger.v_holder as
select
    account_id, case when kind = 'reserved' then split_part(owner, ':', 2)::bigint else account_id end as holder_id
from ledger.account
where balance is not null;
