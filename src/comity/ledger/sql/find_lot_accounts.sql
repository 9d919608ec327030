-- Accounts that lots have been in.
-- Takes lot ids. Returns account ids, in order.
select distinct account_id from ledger.v_lot_entry where lot_id = any(%(lot_ids)s::bigint[]) order by account_id
