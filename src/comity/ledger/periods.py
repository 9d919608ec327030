"""Business days: balances as they were known, roll-forwards, closed periods."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from msgspec import to_builtins

from comity.kernel.database import Tx
from comity.kernel.errors import Broken
from comity.kernel.events import publish
from comity.ledger import rules, store
from comity.ledger.reports import (
    PERIOD_REOPENED,
    DayNotOver,
    NotYetKnown,
    PeriodLock,
    PeriodReopened,
    RollForward,
    UnknownUnit,
)
from comity.ledger.types import Book, PeriodOrder, Piece, UnknownAccount

WESTERNMOST = timedelta(hours=12)
"""So far behind UTC are those whose day ends last."""


def find_known(tx: Tx, *, known_at: datetime | None) -> int | None:
    """Return the last transfer that was known at a time, None where no time is given.

    Known is what was sealed by then. `booked_at` would not do: it is the clock before the commit, so what is found by
    it may still grow. Raises NotYetKnown for a time since which nothing has been sealed.
    """
    if known_at is None:
        return None
    found = store.find_known(tx, known_at=known_at)
    if found is None:
        raise NotYetKnown(details={"known_at": known_at})
    return found


def get_balances_on(tx: Tx, *, account_ids: Sequence[int], day: date, known_at: datetime | None = None) -> list[int]:
    """Return balances on a business day, as known at a time (now, when none is given), in the order asked.

    Raises UnknownAccount, NotYetKnown.
    """
    known = find_known(tx, known_at=known_at)
    found = store.list_balances_on(tx, account_ids=account_ids, day=day, known_through=known)
    missing = sorted(set(account_ids) - found.keys())
    if missing:
        raise UnknownAccount(details={"account_ids": missing})
    return [found[account_id] for account_id in account_ids]


def list_lasting(tx: Tx, *, account_id: int, day: date) -> tuple[int, list[Piece]]:
    """Return how much could be taken from a holder as of a day, and the lots to take it from, in the order of spending.

    That is what was there on that day and on every day since, so that no balance of any day falls below zero; of lots
    that could be spent on that day alone. Locks the account.
    """
    store.lock_accounts(tx, account_ids=[account_id])
    lowest, lots = store.list_lasting(tx, account_id=account_id, day=day)
    pieces = [Piece(lot_id=lot_id, amount=amount) for lot_id, amount in lots]
    return max(0, min(lowest, sum(each.amount for each in pieces))), pieces


def roll_forward(tx: Tx, *, unit: str, first_on: date, last_on: date) -> RollForward:
    """Say what changed the outstanding points of a unit in a period, from the entries alone.

    Opening + issued - redeemed - expired + adjusted = closing. Of a closed period it is the same for good. Raises
    UnknownUnit.
    """
    _require_unit(tx, book=Book.POINTS, unit=unit)
    opening, issued, redeemed, expired, adjusted, closing = store.roll_forward(
        tx, unit=unit, first_on=first_on, last_on=last_on
    )
    if opening + issued - redeemed - expired + adjusted != closing:
        raise Broken("A roll-forward does not add up.", details={"unit": unit, "closing": closing})
    return RollForward(
        unit=unit,
        first_on=first_on,
        last_on=last_on,
        opening=opening,
        issued=issued,
        redeemed=redeemed,
        expired=expired,
        adjusted=adjusted,
        closing=closing,
    )


def lock_period(
    tx: Tx, *, unit: str, through: date, by: str, reason: str, now: datetime, book: Book = Book.POINTS
) -> None:
    """Close the books of a unit up to a day.

    What is posted for a closed day from then on counts on the first open day and keeps the day it was for; which lots
    can be spent is still told by that day, so that closing the books takes no points from anybody. A day is over when
    it is over everywhere: so today, wherever it is asked for, is open. Waits for batches that still post. Raises
    UnknownUnit, DayNotOver, and PeriodOrder when that day is closed already.
    """
    _require_unit(tx, book=book, unit=unit)
    today = (now.astimezone(UTC) - WESTERNMOST).date()
    if through >= today:
        raise DayNotOver(details={"unit": unit, "asked": through, "last_over": today - timedelta(days=1)})
    store.lock_periods(tx)
    former = store.find_period(tx, book=book, unit=unit)
    if former is not None and through <= former:
        raise PeriodOrder(details={"unit": unit, "locked_through": former, "asked": through})
    store.insert_period_lock(
        tx, book=book, unit=unit, locked_through=through, locked_by=by, confirmed_by=None, reason=reason, now=now
    )


def reopen_period(
    tx: Tx,
    *,
    unit: str,
    through: date,
    by: str,
    confirmed_by: str,
    reason: str,
    now: datetime,
    book: Book = Book.POINTS,
) -> None:
    """Open days of a unit again, those after `through`; it takes two names, stays on record and is told.

    Who they are is for the caller to know: names are taken as they come. Publishes `ledger.period_reopened`. Raises
    UnknownUnit, and PeriodOrder when those days are open already, or when nobody else confirms.
    """
    _require_unit(tx, book=book, unit=unit)
    store.lock_periods(tx)
    former = store.find_period(tx, book=book, unit=unit)
    if former is None or through >= former or rules.is_same_person(by, confirmed_by):
        raise PeriodOrder(details={"unit": unit, "locked_through": former, "asked": through})
    store.insert_period_lock(
        tx,
        book=book,
        unit=unit,
        locked_through=through,
        locked_by=by,
        confirmed_by=confirmed_by,
        reason=reason,
        now=now,
    )
    told = PeriodReopened(
        book=book,
        unit=unit,
        first_on=through + timedelta(days=1),
        last_on=former,
        by=by,
        confirmed_by=confirmed_by,
        reason=reason,
    )
    publish(tx, kind=PERIOD_REOPENED, payloads=[to_builtins(told)], now=now)


def list_periods(tx: Tx, *, limit_max: int) -> list[PeriodLock]:
    """Return what closed the books of units and opened them again, newest first; one of each unit is in force."""
    return store.list_periods(tx, limit_max=limit_max)


def _require_unit(tx: Tx, *, book: Book, unit: str) -> None:
    if not store.has_unit(tx, book=book, unit=unit):
        raise UnknownUnit(details={"unit": unit})
