"""All that an account holds moves to another: lots with their terms, pending and expired ones too, and debts."""

from collections.abc import Sequence
from datetime import datetime

from comity.kernel.database import Tx
from comity.ledger import rules, store
from comity.ledger.types import Move, PostingVerdict


def move_all(tx: Tx, *, moves: Sequence[Move], now: datetime) -> list[list[PostingVerdict]]:
    """Move everything from accounts to others, in order, and return the verdicts of each move's transfers.

    One transfer for the lots, another, the other way, for what is owed: the target's points pay it, and what they do
    not cover is owed by the target. None where there is nothing. What is reserved stays with its hold and comes back
    to the source when that ends. Repetition with the same key moves nothing more. Raises TooManyPostings.
    """
    rules.check_batch(moves)
    touched = {each.source_account_id for each in moves} | {each.target_account_id for each in moves}
    store.lock_accounts(tx, account_ids=sorted(touched))
    verdicts: list[list[PostingVerdict]] = []
    for move in moves:
        held = store.list_holdings(tx, account_ids=[move.source_account_id]).get(move.source_account_id, [])
        verdicts.append(store.post(tx, postings=rules.plan_move(move, held), now=now))
    return verdicts
