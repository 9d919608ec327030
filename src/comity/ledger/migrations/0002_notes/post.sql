drop index ledger.hold_end_of_capture;
drop function if exists ledger.digest_block(bytea, bigint, bigint);
