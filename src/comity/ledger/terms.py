"""Terms of lots that change: pending points become available, an expiry is put off."""

from collections.abc import Sequence
from datetime import datetime

from comity.kernel.database import Tx
from comity.ledger import rules, store
from comity.ledger.types import PostingStatus, TermChange

ATTEMPTS_MAX = 5


def change_terms(tx: Tx, *, changes: Sequence[TermChange], now: datetime) -> list[PostingStatus]:
    """Change the terms of lots wherever they are held, in order; return one status each.

    `posted`, `duplicate` for the same key again, `key_reused` when it stood for another change, `invalid` when there
    is no such lot. The terms a lot was made with stay on record. Raises TooManyPostings.
    """
    rules.check_batch(changes)
    if not changes:
        return []
    lot_ids = sorted({each.lot_id for each in changes})
    locked: set[int] = set()
    for _ in range(ATTEMPTS_MAX):
        accounts = store.find_lot_accounts(tx, lot_ids=lot_ids)
        if locked.issuperset(accounts):
            break
        # A lot may move while we wait for the lock: then its new account is wanted too.
        store.lock_accounts(tx, account_ids=accounts)
        locked.update(accounts)
    return store.change_terms(tx, changes=changes, now=now)
