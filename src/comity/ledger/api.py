"""The door of the ledger."""

from collections.abc import Sequence
from datetime import datetime

from comity.kernel.database import Tx
from comity.ledger import rules, store
from comity.ledger.types import (
    NewAccount,
    Posting,
    PostingVerdict,
    Reversal,
    StatementLine,
    TrialBalanceRow,
    UnknownAccount,
)

__all__ = [
    "UnknownAccount",
    "get_balances",
    "list_entries",
    "open_accounts",
    "post",
    "reverse",
    "trial_balance",
]

LINES_MAX = 1_000


def open_accounts(tx: Tx, *, accounts: Sequence[NewAccount], now: datetime) -> list[int]:
    """Open accounts and return their ids in the order asked; an account that is open already keeps its id."""
    return store.open_accounts(tx, accounts=accounts, now=now) if accounts else []


def post(tx: Tx, *, postings: Sequence[Posting], now: datetime) -> list[PostingVerdict]:
    """Post in order, each on its own merits, and return one verdict each.

    A refused posting leaves the others alone and its idempotency key free. A key that is taken answers with the first
    transfer, or `key_reused` when it stood for something else. Locks member accounts in the order of their ids.
    Raises TooManyPostings.
    """
    if not postings:
        return []
    rules.check_batch(postings)
    return store.post(tx, postings=postings, now=now)


def reverse(tx: Tx, *, reversals: Sequence[Reversal], now: datetime) -> list[PostingVerdict]:
    """Undo transfers by new ones that name them; at most one reversal a transfer, and none of a reversal.

    Repetition with the same key answers as the first time, another key gets `already_reversed`. `insufficient` says
    that the points are spent, `invalid` that there is no such transfer or that it is a reversal itself.
    Raises TooManyPostings.
    """
    if not reversals:
        return []
    legs = store.list_transfers(tx, transfer_ids=[each.transfer_id for each in reversals])
    plan = rules.plan_reversals(reversals, legs)
    posted = iter(post(tx, postings=[each for each in plan if isinstance(each, Posting)], now=now))
    return [next(posted) if isinstance(each, Posting) else PostingVerdict(status=each) for each in plan]


def get_balances(tx: Tx, *, account_ids: Sequence[int]) -> list[int]:
    """Return balances in the order asked; that of a programme's account is the sum of its entries.

    Raises UnknownAccount.
    """
    found = store.list_balances(tx, account_ids=account_ids)
    missing = sorted(set(account_ids) - found.keys())
    if missing:
        raise UnknownAccount(details={"account_ids": missing})
    return [found[account_id] for account_id in account_ids]


def trial_balance(tx: Tx) -> list[TrialBalanceRow]:
    """Sum all entries by book, unit and kind of account, from the entries alone."""
    return store.trial_balance(tx)


def list_entries(
    tx: Tx, *, account_id: int, before_transfer_id: int | None = None, limit_max: int = 100
) -> list[StatementLine]:
    """Page through an account's entries, newest first, with the running balance of each."""
    return store.list_entries(
        tx, account_id=account_id, before_transfer_id=before_transfer_id, limit_max=min(limit_max, LINES_MAX)
    )
