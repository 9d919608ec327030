-- Returns true while this transaction has written nothing.
select pg_current_xact_id_if_assigned() is null
