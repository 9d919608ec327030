-- Transfers as they are sealed.
-- Takes first and last transfer id. Returns one line each, in order.
select line from ledger.v_line where transfer_id between %(first_transfer_id)s and %(last_transfer_id)s
order by transfer_id
