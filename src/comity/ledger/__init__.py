"""Double-entry books for points and money.

Owns: accounts, immutable transfers and the entries told from them in both books, lots, holds. Knows account ids
only, no persons.
Invariants: the entries of each transfer sum to zero in each book, so do all of a unit; a holder's balance is the
sum of its entries and of its open lots; every debit of a holder names the lots it took; no holder falls below zero but
for a debt that was allowed by name; an idempotency key is taken for good; a hold ends once; what was posted is never
changed or deleted, corrections reverse.
Tables: account, transfer, lot_entry, holding, lot_term, hold, hold_move, hold_end, open_hold, take_back,
period_lock, block, seal_mark of the schema ledger; views v_balance, v_entry, v_holding, v_hold, v_lot, v_lot_entry,
v_lot_term, v_period, v_line, v_note.
Place in the flow: after activity and below programme, which decides what to post.
"""
