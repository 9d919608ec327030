"""The door of the outbox."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from comity.kernel import readers
from comity.kernel.database import Tx
from comity.kernel.readers import Position
from comity.kernel.wakeups import notify
from comity.outbox import rules, store
from comity.outbox.types import Base, Lane, NewBase, RecordNews, StaleCount

__all__ = [
    "OUTBOX_CHANNEL",
    "claim_stale",
    "count_stale",
    "discard_parked",
    "drop_bases",
    "drop_systems",
    "end_flights",
    "find_next_due",
    "finish_stale",
    "get_bases",
    "hold_stale",
    "is_contested",
    "is_in_flight",
    "is_own_form",
    "is_ping_pong",
    "list_flights",
    "list_parked",
    "mark_everybody",
    "note_changes",
    "note_flights",
    "park_stale",
    "plan_candidates",
    "plan_fields",
    "plan_retry",
    "replay_parked",
    "retry_stale",
    "settle_bases",
    "store_bases",
    "take_changes",
    "trim_changes",
]

OUTBOX_CHANNEL = "comity_outbox"
TAKE_MAX = 20_000
"""Changes taken at once; a reader that is further behind takes turns with its deliveries."""
SKIP_XIDS = 1_000

plan_candidates = rules.plan_candidates
plan_fields = rules.plan_fields
plan_retry = rules.plan_retry
is_contested = rules.is_contested
is_ping_pong = rules.is_ping_pong
is_own_form = rules.is_own_form
is_in_flight = rules.is_in_flight
claim_stale = store.claim_stale
find_next_due = store.find_next_due
finish_stale = store.finish_stale
retry_stale = store.retry_stale
hold_stale = store.hold_stale
park_stale = store.park_stale
list_parked = store.list_parked
discard_parked = store.discard_parked
drop_systems = store.drop_systems
settle_bases = store.settle_bases


def note_changes(
    tx: Tx, *, profile_ids: Iterable[UUID], records: Sequence[RecordNews] = (), lane: Lane = Lane.PROFILE
) -> None:
    """Note that these people may not be up to date anywhere, and that these records may have to be put right.

    Appends only; each system's deliveries take it into their marks. Repeating is harmless; a parked one is retried.
    """
    # By their numbers: hashing a UUID calls Python.
    anywhere = {profile_id.int: profile_id for profile_id in profile_ids}
    rows: list[tuple[UUID | None, str | None, int | None, int | None, int]] = [
        (each.profile_id, None if each.profile_id.int in anywhere else each.system, each.record_id, each.shown, lane)
        for each in records
    ]
    with_record = {each.profile_id.int for each in records}
    rows += [(profile_id, None, None, None, lane) for key, profile_id in anywhere.items() if key not in with_record]
    if rows:
        store.append_changes(tx, rows=rows)
        notify(tx, channel=OUTBOX_CHANNEL)


def mark_everybody(tx: Tx, *, systems: Sequence[str], lane: Lane = Lane.BACKFILL) -> None:
    """Note that nobody may be up to date in these systems."""
    if systems:
        store.append_changes(tx, rows=[(None, system, None, None, lane) for system in systems])
        notify(tx, channel=OUTBOX_CHANNEL)


def take_changes(tx: Tx, *, system: str, now: datetime) -> bool:
    """Take what stands in the log into the marks of a system; true when more stands there, or will in a moment.

    Call it under the lease of the system's deliveries, whether or not the system can be worked with.
    """
    name = _reader_of(system)
    position = readers.peek_position(tx, name=name)
    horizon = readers.get_horizon(tx)
    taken = store.take_changes(tx, system=system, position=position, now=now, count_max=TAKE_MAX)
    if taken is None:
        if horizon.xid > position.xid + SKIP_XIDS:
            readers.advance(tx, name=name, position=horizon)
        return store.has_changes(tx, position=position)
    if taken.everybody_lane is not None:
        store.mark_everybody(tx, system=system, lane=taken.everybody_lane, due_at=now)
    last = Position(xid=taken.last_xid, id=taken.last_id)
    end = last if taken.taken_count == TAKE_MAX else max(horizon, last)
    readers.advance(tx, name=name, position=end)
    return store.has_changes(tx, position=end)


def trim_changes(tx: Tx, *, systems: Sequence[str]) -> int:
    """Delete what all of these systems, which are those that are written to, have taken; returns how much."""
    slowest = min((readers.peek_position(tx, name=_reader_of(system)) for system in systems), default=Position())
    return store.trim_changes(tx, position=slowest)


def count_stale(tx: Tx, *, systems: Sequence[str], now: datetime) -> list[StaleCount]:
    """Return how many people are stale in each of these systems, with those whose changes are not marks yet."""
    known = {count.system: count for count in store.count_stale(tx, now=now)}
    counts: list[StaleCount] = []
    for system in systems:
        position = readers.peek_position(tx, name=_reader_of(system))
        unread = store.count_unread(tx, system=system, position=position, now=now)
        count = known.get(system) or StaleCount(
            system=system, waiting_count=0, retrying_count=0, parked_count=0, held_count=0, oldest_due_at=None
        )
        counts.append(
            msgspec.structs.replace(count, unread_count=unread[0], waiting_count=count.waiting_count + unread[1])
        )
    return counts


def _reader_of(system: str) -> str:
    return f"outbox:{system}"


def replay_parked(tx: Tx, *, system: str | None = None, now: datetime) -> int:
    """Give parked deliveries of a system, or all, another chance; returns how many."""
    count = store.replay_parked(tx, system=system, now=now)
    if count:
        notify(tx, channel=OUTBOX_CHANNEL)
    return count


def get_bases(tx: Tx, *, record_ids: Sequence[int]) -> dict[int, Base]:
    """Return the bases of records that have one, by record id."""
    return {base.record_id: base for base in store.get_bases(tx, record_ids=record_ids)}


def store_bases(tx: Tx, *, system: str, bases: Sequence[NewBase], now: datetime) -> None:
    """Merge what was sent and stored into the bases of records."""
    if bases:
        store.store_bases(tx, system=system, bases=bases, now=now)


def note_flights(tx: Tx, *, values: Mapping[int, Mapping[str, Any]]) -> None:
    """Note what is about to be written into records, by attribute {"sent": value, "held": value before}.

    What they show of that before it is settled is doubtful; see `is_in_flight`.
    """
    if values:
        store.note_flights(tx, values=values)


def end_flights(tx: Tx, *, record_ids: Sequence[int]) -> None:
    """Note that what became of these writes is known."""
    if record_ids:
        store.end_flights(tx, record_ids=record_ids)


def list_flights(tx: Tx, *, record_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Return what is being written right now, by record and attribute."""
    return store.list_flights(tx, record_ids=record_ids) if record_ids else {}


def drop_bases(tx: Tx, *, record_ids: Sequence[int]) -> None:
    """Forget the bases of records that are gone."""
    if record_ids:
        store.drop_bases(tx, record_ids=record_ids)
