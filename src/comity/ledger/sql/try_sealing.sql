-- Be the only one who seals, until this transaction ends, and see up to where transfer ids have been drawn.
-- Returns (is_ours, last_transfer_id).
select pg_try_advisory_xact_lock(5495307171), case when is_called then last_value else 0 end from ledger.transfer_id
