"""Lots expire on their day, each for exactly its unspent rest."""

from datetime import date, datetime

from comity.kernel.database import Tx
from comity.kernel.errors import Broken
from comity.ledger import rules, store
from comity.ledger.rows import DueLot
from comity.ledger.types import AccountKind, Book, Expired, NewAccount

LOTS_MAX = 1_000


def expire_lots(tx: Tx, *, unit: str, today: date, now: datetime, limit_max: int = LOTS_MAX) -> list[Expired]:
    """Expire what is due of the holders of so many lots, and return what that was; nothing at the end. Repeatable.

    `today` is the day where the programme lives. A lot is booked on the day it expires, units that came back later on
    the day they did. What is reserved waits until its hold ends. Each lot is expired once for all of its rest; units
    that come back later expire by a transfer of their own. Each batch may be a transaction of its own.
    """
    due: list[DueLot] = []
    while not due:
        accounts = store.find_due_accounts(tx, unit=unit, today=today, limit_max=limit_max)
        if not accounts:
            return []
        # Who waited for the lock may find that another has expired them meanwhile: then it looks for the next.
        store.lock_accounts(tx, account_ids=accounts)
        due = store.list_due_lots(tx, account_ids=accounts, today=today)
    account = NewAccount(book=Book.POINTS, unit=unit, kind=AccountKind.EXPIRED, owner=unit)
    [expired_account_id] = store.open_accounts(tx, accounts=[account], now=now)
    postings = [rules.plan_expiry(each, expired_account_id=expired_account_id) for each in due]
    for posting, verdict in zip(postings, store.post(tx, postings=postings, now=now), strict=True):
        if not verdict.is_booked:
            raise Broken(
                "A lot could not be expired.",
                details={"idempotency_key": posting.idempotency_key, "status": verdict.status},
            )
    return [Expired(account_id=each.account_id, lot_id=each.lot_id, points=each.rest) for each in due]
