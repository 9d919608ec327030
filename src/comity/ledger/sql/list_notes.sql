-- What stands beside the transfers, as it is sealed.
-- Takes first and last number. Returns one line each, in order.
select line from ledger.v_note where number between %(first_note_id)s and %(last_note_id)s
order by number, note collate "C"
