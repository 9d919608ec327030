"""The door of the ledger."""

from collections.abc import Sequence
from datetime import datetime

from comity.kernel.database import Tx
from comity.ledger import rules, store
from comity.ledger.expiry import expire_lots
from comity.ledger.holds import capture, release, reserve, time_out_holds
from comity.ledger.reversing import reverse
from comity.ledger.types import (
    Holding,
    NewAccount,
    Posting,
    PostingVerdict,
    StatementLine,
    TrialBalanceRow,
    UnknownAccount,
)

__all__ = [
    "UnknownAccount",
    "capture",
    "expire_lots",
    "find_imbalance",
    "get_balances",
    "list_entries",
    "list_holdings",
    "open_accounts",
    "post",
    "release",
    "reserve",
    "reverse",
    "time_out_holds",
    "trial_balance",
]

LINES_MAX = 1_000


def open_accounts(tx: Tx, *, accounts: Sequence[NewAccount], now: datetime) -> list[int]:
    """Open accounts and return their ids in the order asked; an account that is open already keeps its id."""
    return store.open_accounts(tx, accounts=accounts, now=now) if accounts else []


def post(tx: Tx, *, postings: Sequence[Posting], now: datetime) -> list[PostingVerdict]:
    """Post in order, each on its own merits, and return one verdict each.

    A holder that is credited from outside gets a lot; a debit of a holder takes lots, soonest expiry first, and says
    which; between holders the lots move. A refused posting leaves the others alone and its idempotency key free. A key
    that is taken answers with the first transfer, or `key_reused` when it stood for something else. What is effective
    in a locked period is booked on the first open day, the day asked for is kept. Locks holders in the order of their
    ids. Raises TooManyPostings.
    """
    if not postings:
        return []
    rules.check_batch(postings)
    return store.post(tx, postings=postings, now=now)


def get_balances(tx: Tx, *, account_ids: Sequence[int]) -> list[int]:
    """Return balances in the order asked; that of a programme's account is the sum of its entries.

    Raises UnknownAccount.
    """
    found = store.list_balances(tx, account_ids=account_ids)
    missing = sorted(set(account_ids) - found.keys())
    if missing:
        raise UnknownAccount(details={"account_ids": missing})
    return [found[account_id] for account_id in account_ids]


def list_holdings(tx: Tx, *, account_ids: Sequence[int]) -> dict[int, list[Holding]]:
    """Return the open lots of accounts, in the order of spending; debts (negative rests) come last."""
    return store.list_holdings(tx, account_ids=account_ids)


def trial_balance(tx: Tx) -> list[TrialBalanceRow]:
    """Sum all entries by book, unit and kind of account, from the entries alone."""
    return store.trial_balance(tx)


def find_imbalance(tx: Tx) -> list[int]:
    """Return holders whose stored balance is not what entries and lots add up to; there must be none. Reads all."""
    return store.find_imbalance(tx)


def list_entries(
    tx: Tx, *, account_id: int, before_transfer_id: int | None = None, limit_max: int = 100
) -> list[StatementLine]:
    """Page through an account's entries, newest first, with the running balance of each."""
    return store.list_entries(
        tx, account_id=account_id, before_transfer_id=before_transfer_id, limit_max=min(limit_max, LINES_MAX)
    )
