"""Double-entry books for points and money.

Owns: accounts, immutable transfers and their entries. Knows account ids only, never persons.
Invariants: the entries of each transfer sum to zero, so do all entries of a unit; no guarded account falls below zero;
an idempotency key is taken for good; posted transfers and entries are never changed or deleted, corrections reverse.
Tables: ledger.account, ledger.transfer, ledger.entry; views v_balance and v_entry.
Place in the flow: after activity and below programme, which decides what to post.
"""
