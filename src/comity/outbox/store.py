"""Statements of the outbox."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from comity.kernel.database import Tx
from comity.kernel.readers import Position
from comity.kernel.sql import Jsonb, SqlFolder, copy_in
from comity.outbox.types import Base, Claim, NewBase, ParkedDelivery, StaleCount, TakenChanges

_sql = SqlFolder(__package__)

CHANGE_COLUMNS = ("profile_id", "system", "record_id", "shown", "lane")
CHANGE_TYPES = ("uuid", "text", "int8", "int8", "int2")


def append_changes(tx: Tx, *, rows: Iterable[tuple[UUID | None, str | None, int | None, int | None, int]]) -> None:
    """Append to the log: profile, system, record, what it shows, lane."""
    copy_in(tx, table="outbox.change", columns=CHANGE_COLUMNS, types=CHANGE_TYPES, rows=rows)


def take_changes(tx: Tx, *, system: str, position: Position, now: datetime, count_max: int) -> TakenChanges | None:
    """Take the next changes into the marks of a system; None when there are none."""
    return _sql.take_changes.fetch_one(
        tx, TakenChanges, system=system, xid=position.xid, id=position.id, now=now, count_max=count_max
    )


def has_changes(tx: Tx, *, position: Position) -> bool:
    """Return whether anything stands after a place."""
    return bool(_sql.has_changes.value(tx, xid=position.xid, id=position.id))


def trim_changes(tx: Tx, *, position: Position) -> int:
    """Delete the log up to a place."""
    return _sql.trim_changes.execute(tx, xid=position.xid, id=position.id)


def count_unread(tx: Tx, *, system: str, position: Position, now: datetime) -> tuple[int, int]:
    """Return how many rows, and people without a mark, stand after a place for a system."""
    ((row_count, people_count),) = _sql.count_unread.rows(tx, system=system, xid=position.xid, id=position.id, now=now)
    return row_count, people_count


def mark_everybody(tx: Tx, *, system: str, lane: int, due_at: datetime) -> int:
    """Mark all profiles stale in a system."""
    return _sql.mark_everybody.execute(tx, system=system, lane=lane, due_at=due_at)


def claim_stale(tx: Tx, *, system: str, now: datetime, count_max: int) -> list[Claim]:
    """Return the most urgent due marks of a system; the caller holds the lease of the system's deliveries."""
    return _sql.claim_stale.fetch(tx, Claim, system=system, now=now, count_max=count_max)


def find_next_due(tx: Tx, *, system: str) -> datetime | None:
    """Return when the next mark of a system is due, None when none waits."""
    return _sql.next_due.value(tx, system=system)


def drop_systems(tx: Tx, *, kept: Sequence[str]) -> None:
    """Forget the marks of systems other than these."""
    _sql.drop_systems.execute(tx, kept=list(kept))


def finish_stale(tx: Tx, *, system: str, profile_ids: Sequence[UUID], marks: Sequence[int]) -> None:
    """Drop marks that are done."""
    _sql.finish_stale.execute(tx, system=system, profile_ids=list(profile_ids), marks=list(marks))


def retry_stale(
    tx: Tx,
    *,
    system: str,
    profile_ids: Sequence[UUID],
    marks: Sequence[int],
    due_ats: Sequence[datetime],
    are_failures: Sequence[bool],
) -> None:
    """Put marks off."""
    _sql.retry_stale.execute(
        tx,
        system=system,
        profile_ids=list(profile_ids),
        marks=list(marks),
        due_ats=list(due_ats),
        are_failures=list(are_failures),
    )


def hold_stale(
    tx: Tx, *, system: str, profile_ids: Sequence[UUID], marks: Sequence[int], ticks: Sequence[datetime]
) -> None:
    """Let marks wait for their ticks."""
    _sql.hold_stale.execute(tx, system=system, profile_ids=list(profile_ids), marks=list(marks), ticks=list(ticks))


def park_stale(
    tx: Tx,
    *,
    system: str,
    profile_ids: Sequence[UUID],
    marks: Sequence[int],
    codes: Sequence[str],
    messages: Sequence[str],
    now: datetime,
) -> None:
    """Set marks aside."""
    _sql.park_stale.execute(
        tx,
        system=system,
        profile_ids=list(profile_ids),
        marks=list(marks),
        codes=list(codes),
        messages=list(messages),
        now=now,
    )


def replay_parked(tx: Tx, *, system: str | None, now: datetime) -> int:
    """Give parked deliveries another chance."""
    return _sql.replay_parked.execute(tx, system=system, now=now)


def discard_parked(tx: Tx, *, system: str, profile_ids: Sequence[UUID]) -> int:
    """Forget parked deliveries."""
    return _sql.discard_parked.execute(tx, system=system, profile_ids=list(profile_ids))


def list_parked(tx: Tx, *, system: str | None, count_max: int) -> list[ParkedDelivery]:
    """Return parked deliveries."""
    return _sql.list_parked.fetch(tx, ParkedDelivery, system=system, count_max=count_max)


def count_stale(tx: Tx, *, now: datetime) -> list[StaleCount]:
    """Return marks per system."""
    return _sql.count_stale.fetch(tx, StaleCount, now=now)


def get_bases(tx: Tx, *, record_ids: Sequence[int]) -> list[Base]:
    """Return bases."""
    return _sql.get_bases.fetch(tx, Base, record_ids=list(record_ids))


def store_bases(tx: Tx, *, system: str, bases: Sequence[NewBase], now: datetime) -> None:
    """Merge into bases."""
    _sql.store_bases.execute(
        tx,
        system=system,
        record_ids=[base.record_id for base in bases],
        fields=[Jsonb(base.fields) for base in bases],
        are_contested=[base.is_contested for base in bases],
        shown=[base.shown for base in bases],
        now=now,
    )


def settle_bases(tx: Tx, *, record_ids: Sequence[int], settled_counts: Sequence[int]) -> None:
    """Note what a comparison settled."""
    _sql.settle_bases.execute(tx, record_ids=list(record_ids), settled_counts=list(settled_counts))


def note_flights(tx: Tx, *, values: Mapping[int, Mapping[str, Any]]) -> None:
    """Note what is about to be written."""
    _sql.note_flights.execute(tx, record_ids=list(values), written=[Jsonb(each) for each in values.values()])


def end_flights(tx: Tx, *, record_ids: Sequence[int]) -> None:
    """Forget what was being written."""
    _sql.end_flights.execute(tx, record_ids=list(record_ids))


def list_flights(tx: Tx, *, record_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Return what is being written, by record."""
    wanted = "{" + ",".join(map(str, record_ids)) + "}"  # A text takes a tenth of the time that a list takes.
    return {row[0]: row[1] for row in _sql.list_flights.rows(tx, record_ids=wanted)}


def drop_bases(tx: Tx, *, record_ids: Sequence[int]) -> None:
    """Forget bases."""
    _sql.drop_bases.execute(tx, record_ids=list(record_ids))
