-- Draw a number above those of all transfers so far, and below those of all that this transaction posts.
select nextval('ledger.transfer_id') as mark
