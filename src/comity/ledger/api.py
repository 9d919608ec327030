"""The door of the ledger."""

from collections.abc import Sequence
from datetime import date, datetime

from comity.kernel.database import Tx
from comity.ledger import rules, store
from comity.ledger.expiry import expire_lots
from comity.ledger.holds import capture, release, reserve, time_out_holds
from comity.ledger.moving import draw_mark, move_all
from comity.ledger.parting import list_flows, part
from comity.ledger.periods import (
    find_known,
    get_balances_on,
    list_lasting,
    list_periods,
    lock_period,
    reopen_period,
    roll_forward,
)
from comity.ledger.proof import check_export
from comity.ledger.referring import post_referring
from comity.ledger.reports import (
    Block,
    DayNotOver,
    NotYetKnown,
    PeriodLock,
    Proof,
    RollForward,
    Trace,
    TraceLine,
    Transfer,
    UnknownUnit,
)
from comity.ledger.reversing import reverse
from comity.ledger.rows import Flow, HoldState
from comity.ledger.sealing import export, get_transfer, list_caused, seal, trace, verify
from comity.ledger.sharing import Parted, Parting, Shortfall
from comity.ledger.terms import change_terms
from comity.ledger.types import (
    Holding,
    NewAccount,
    PeriodOrder,
    Posting,
    PostingVerdict,
    Standing,
    StatementLine,
    TooManyPostings,
    TrialBalanceRow,
    UnknownAccount,
    UnknownTransfer,
)

__all__ = [
    "Block",
    "DayNotOver",
    "Flow",
    "HoldState",
    "NotYetKnown",
    "Parted",
    "Parting",
    "PeriodLock",
    "PeriodOrder",
    "Proof",
    "RollForward",
    "Shortfall",
    "TooManyPostings",
    "Trace",
    "TraceLine",
    "Transfer",
    "UnknownAccount",
    "UnknownTransfer",
    "UnknownUnit",
    "capture",
    "change_terms",
    "check_export",
    "draw_mark",
    "expire_lots",
    "export",
    "find_head",
    "find_imbalance",
    "find_posted",
    "get_balances",
    "get_balances_on",
    "get_standings",
    "get_transfer",
    "hold_accounts",
    "is_guarded",
    "list_caused",
    "list_entries",
    "list_flows",
    "list_holdings",
    "list_holds",
    "list_lasting",
    "list_periods",
    "lock_period",
    "move_all",
    "open_accounts",
    "part",
    "post",
    "release",
    "reopen_period",
    "reserve",
    "reverse",
    "roll_forward",
    "seal",
    "time_out_holds",
    "trace",
    "trial_balance",
    "verify",
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
    in a locked period is booked on the first open day; the day asked for is kept and decides which lots can be spent.
    Locks holders in the order of their ids. Raises TooManyPostings.
    """
    if not postings:
        return []
    rules.check_batch(postings)
    return post_referring(tx, postings=postings, now=now)


def hold_accounts(tx: Tx, *, account_ids: Sequence[int]) -> None:
    """Keep others from changing holders until the transaction ends; locks them in the order of their ids."""
    store.lock_accounts(tx, account_ids=sorted(set(account_ids)))


def get_balances(tx: Tx, *, account_ids: Sequence[int]) -> list[int]:
    """Return balances in the order asked; that of a programme's account is the sum of its entries.

    Raises UnknownAccount.
    """
    found = store.list_balances(tx, account_ids=account_ids)
    missing = sorted(set(account_ids) - found.keys())
    if missing:
        raise UnknownAccount(details={"account_ids": missing})
    return [found[account_id] for account_id in account_ids]


def find_posted(tx: Tx, *, keys: Sequence[str]) -> dict[str, int]:
    """Return the transfers of those idempotency keys that are taken."""
    return store.list_posted(tx, keys=keys)


def find_head(tx: Tx) -> Block | None:
    """Return the last block of the chain: number and digest to note elsewhere as an anchor."""
    return store.find_last_block(tx)


def list_holds(tx: Tx, *, hold_ids: Sequence[int]) -> list[HoldState]:
    """Return those of the holds that exist, and how they ended."""
    return list(store.list_holds(tx, hold_ids=hold_ids).values()) if hold_ids else []


def list_holdings(tx: Tx, *, account_ids: Sequence[int]) -> dict[int, list[Holding]]:
    """Return the open lots of accounts, in the order of spending; debts (negative rests) come last."""
    return store.list_holdings(tx, account_ids=account_ids)


def get_standings(tx: Tx, *, account_ids: Sequence[int], day: date) -> list[Standing]:
    """Return what holders can do with their points on a day, in the order asked.

    Raises UnknownAccount, also for accounts that hold no points.
    """
    found = store.list_standings(tx, account_ids=account_ids, day=day)
    missing = sorted(set(account_ids) - found.keys())
    if missing:
        raise UnknownAccount(details={"account_ids": missing})
    return [found[account_id] for account_id in account_ids]


def trial_balance(tx: Tx, *, day: date | None = None, known_at: datetime | None = None) -> list[TrialBalanceRow]:
    """Sum all entries by book, unit and kind of account, from the entries alone.

    With `day` those that count up to that business day, with `known_at` what was sealed by that time, so that it is
    the same whenever it is asked. Raises NotYetKnown.
    """
    known = find_known(tx, known_at=known_at)
    return store.trial_balance(tx, day=day or (date.max if known_at else None), known_through=known)


def is_guarded(tx: Tx) -> bool:
    """True when the role of this session can neither change what was posted nor switch off what keeps it so."""
    return store.is_guarded(tx)


def find_imbalance(tx: Tx) -> list[int]:
    """Return holders whose stored balance or open lots are not what the books say; there must be none. Reads all."""
    return list(dict.fromkeys(account_id for account_id, _ in store.find_imbalance(tx)))


def list_entries(
    tx: Tx, *, account_id: int, before_transfer_id: int | None = None, limit_max: int = 100
) -> list[StatementLine]:
    """Page through an account's entries, newest first, with the running balance of each."""
    return store.list_entries(
        tx, account_id=account_id, before_transfer_id=before_transfer_id, limit_max=min(limit_max, LINES_MAX)
    )
