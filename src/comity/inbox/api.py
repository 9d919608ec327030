"""The door of the inbox."""

from collections.abc import Sequence
from datetime import datetime

from comity.inbox import store
from comity.inbox.types import Change, ChangeBatch, NewChange, ParkedChange, ParkedItem, Waiting
from comity.kernel.database import Tx
from comity.kernel.readers import Position, get_horizon
from comity.kernel.wakeups import notify

__all__ = [
    "INBOX_CHANNEL",
    "accept_changes",
    "close_superseded",
    "count_parked",
    "count_waiting",
    "discard_parked",
    "has_unread",
    "has_unread_of",
    "list_parked",
    "list_passed",
    "list_unread",
    "park_changes",
    "read_changes",
    "replay_parked",
    "requeue_latest",
]

INBOX_CHANNEL = "comity_inbox"


def accept_changes(tx: Tx, *, changes: Sequence[NewChange], now: datetime) -> set[tuple[str, str, str, str]]:
    """Store changes and return the (system, stream, external id, version) of those not known before.

    Repeating is harmless: a key that is known changes nothing. Durable once the transaction commits. One statement.
    """
    return set(store.accept_changes(tx, changes=changes, received_at=now, channel=INBOX_CHANNEL)) if changes else set()


def read_changes(tx: Tx, *, position: Position, count_max: int) -> ChangeBatch:
    """Return the next changes after a place, and the place to move to once their effects are committed."""
    horizon = get_horizon(tx)
    changes: list[Change] = store.read_changes(tx, position=position, count_max=count_max)
    last = Position(xid=changes[-1].xid, id=changes[-1].change_id) if changes else position
    end = last if len(changes) == count_max else max(horizon, last)
    return ChangeBatch(changes=changes, start=position, end=end)


def has_unread(tx: Tx, *, position: Position) -> bool:
    """True when changes stand after a place, also those that wait for an older transaction to end."""
    return store.has_unread(tx, position=position)


def has_unread_of(tx: Tx, *, system: str, stream: str, until_xid: int, position: Position) -> bool:
    """True when changes of a stream that came in up to a transaction, itself included, stand after a place."""
    return store.has_unread_of(tx, system=system, stream=stream, until_xid=until_xid, position=position)


def list_unread(tx: Tx, *, changes: Sequence[NewChange], position: Position) -> set[int]:
    """Return which of these changes, by their place in the input, are stored but not passed by a reader yet."""
    return set(store.list_unread(tx, changes=changes, position=position)) if changes else set()


def park_changes(tx: Tx, *, parked: Sequence[ParkedChange], now: datetime) -> None:
    """Set changes that cannot be used aside, each with its reason; the first reason of a change stays."""
    if parked:
        store.park_changes(tx, parked=parked, now=now)


def close_superseded(tx: Tx, *, change_ids: Sequence[int], now: datetime) -> int:
    """Close open parked items of records of which these changes tell something newer; returns how many.

    What is wrong with a newer one, if it is parked itself, stands in its own item. One that leaves the field out that
    could not be read closes nothing.
    """
    return store.close_superseded(tx, change_ids=change_ids, now=now) if change_ids and store.has_parked(tx) else 0


def list_passed(tx: Tx, *, records: Sequence[tuple[str, str, str]], position: Position, count_max: int) -> list[Change]:
    """Return what a reader has passed of records, given as (system, stream, external id); of too many the newest."""
    return store.list_passed(tx, records=records, position=position, count_max=count_max) if records else []


def list_parked(
    tx: Tx, *, system: str | None = None, is_closed: bool = False, after_id: int = 0, count_max: int = 100
) -> list[ParkedItem]:
    """Return parked items, oldest first, of one system or of all: the open ones, or those that were closed."""
    return store.list_parked(tx, system=system, is_closed=is_closed, after_id=after_id, count_max=count_max)


def replay_parked(
    tx: Tx, *, system: str | None = None, change_ids: Sequence[int] | None = None, now: datetime
) -> list[int]:
    """Put parked changes in again, of a system, chosen ones or all; returns which. A replayed item is closed."""
    replayed = store.replay_parked(tx, system=system, change_ids=change_ids, now=now)
    if replayed:
        notify(tx, channel=INBOX_CHANNEL)
    return replayed


def requeue_latest(tx: Tx, *, streams: Sequence[tuple[str, str]], mark: str, now: datetime) -> int:
    """Put the latest state of every record of some streams, given as (system, stream), in again; returns how many.

    For a mapping that reads more, or otherwise, than before. `mark` makes it happen once.
    """
    count = store.requeue_latest(tx, streams=streams, mark=f"#{mark}", received_at=now) if streams else 0
    if count:
        notify(tx, channel=INBOX_CHANNEL)
    return count


def discard_parked(tx: Tx, *, change_ids: Sequence[int], actor: str, now: datetime) -> list[int]:
    """Close parked items for good on somebody's word; returns which were open."""
    return store.discard_parked(tx, change_ids=change_ids, actor=actor, now=now)


def count_waiting(tx: Tx, *, position: Position) -> list[Waiting]:
    """Return per system what waits behind a reader's place, and since when."""
    return store.count_waiting(tx, position=position)


def count_parked(tx: Tx) -> dict[str, int]:
    """Return the number of open parked items per system."""
    return store.count_parked(tx)
