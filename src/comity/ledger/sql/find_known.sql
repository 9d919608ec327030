-- The last transfer that was sealed by a moment: all before the first block that was sealed later. What the answer is
-- made of is there for good, since blocks are only added at the end, so it is the same whenever it is asked.
-- Takes known_at. Returns one number; null where nothing has been sealed since.
select min(first_transfer_id) - 1 from ledger.block where sealed_at > %(known_at)s
