-- Stored balances, for rooms downstream.
create or replace view ledger.v_balance as
select account_id, balance from ledger.account where balance is not null;

-- Entries with what their transfer says, for rooms downstream.
create or replace view ledger.v_entry as
select
    e.account_id, e.transfer_id, e.amount, e.balance_after,
    t.kind, t.reason, t.effective_on, t.booked_at, t.system, t.external_id, t.reverses_transfer_id
from ledger.entry e
join ledger.transfer t using (transfer_id);
