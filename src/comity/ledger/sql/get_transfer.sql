-- One transfer as it stands, with the kinds of its accounts and its block in the chain.
-- Takes transfer_id. Returns Transfer or nothing.
select
    t.transfer_id, t.idempotency_key, t.kind, t.amount, t.debit_account_id, d.kind as debit_kind, t.credit_account_id,
    c.kind as credit_kind, d.book, d.unit, t.effective_on, t.original_on, t.booked_at, t.system, t.external_id,
    t.reason, t.reverses_transfer_id, t.money_debit_account_id, t.money_credit_account_id, t.money_amount,
    (select b.block_number from ledger.block b
     where t.transfer_id between b.first_transfer_id and b.last_transfer_id) as block_number,
    (select r.reference from ledger.reference r where r.transfer_id = t.transfer_id) as reference,
    array(select r.transfer_id from ledger.transfer r where r.reverses_transfer_id = t.transfer_id order by 1)
        as reversed_by
from ledger.transfer t
join ledger.account d on d.account_id = t.debit_account_id
join ledger.account c on c.account_id = t.credit_account_id
where t.transfer_id = %(transfer_id)s
