"""The door of the outbox."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from comity.kernel.database import Tx
from comity.kernel.wakeups import notify
from comity.outbox import rules, store
from comity.outbox.types import Base, Lane, NewBase

__all__ = [
    "OUTBOX_CHANNEL",
    "claim_stale",
    "count_stale",
    "discard_parked",
    "doubt_bases",
    "drop_bases",
    "drop_marks",
    "drop_systems",
    "end_flights",
    "find_next_due",
    "finish_stale",
    "get_bases",
    "is_in_flight",
    "is_own_form",
    "is_ping_pong",
    "list_flights",
    "list_parked",
    "lock_stale",
    "mark_everybody",
    "mark_stale",
    "note_flights",
    "park_stale",
    "plan_candidates",
    "plan_fields",
    "plan_retry",
    "replay_parked",
    "retry_stale",
    "settle_bases",
    "store_bases",
]

OUTBOX_CHANNEL = "comity_outbox"

plan_candidates = rules.plan_candidates
plan_fields = rules.plan_fields
plan_retry = rules.plan_retry
is_ping_pong = rules.is_ping_pong
is_own_form = rules.is_own_form
is_in_flight = rules.is_in_flight
claim_stale = store.claim_stale
find_next_due = store.find_next_due
lock_stale = store.lock_stale
finish_stale = store.finish_stale
retry_stale = store.retry_stale
park_stale = store.park_stale
list_parked = store.list_parked
discard_parked = store.discard_parked
count_stale = store.count_stale
drop_marks = store.drop_marks
drop_systems = store.drop_systems
settle_bases = store.settle_bases


def mark_stale(
    tx: Tx,
    *,
    profile_ids: Sequence[UUID],
    systems: Sequence[str],
    besides: Sequence[tuple[UUID, str]] = (),
    lane: Lane = Lane.PROFILE,
    now: datetime,
) -> None:
    """Note that these people may not be up to date in these systems, and others, `besides`, in one system each.

    Repeating is harmless; a parked one is retried. Whoever marks calls this once in a transaction: marks are made in
    one order, by which two transactions wait for each other without a deadlock.
    """
    if (profile_ids and systems) or besides:
        store.mark_stale(tx, profile_ids=profile_ids, systems=systems, besides=besides, lane=int(lane), due_at=now)
        notify(tx, channel=OUTBOX_CHANNEL)


def mark_everybody(tx: Tx, *, systems: Sequence[str], lane: Lane = Lane.BACKFILL, now: datetime) -> int:
    """Note that nobody may be up to date in these systems, as one statement; returns how many marks that made."""
    count = store.mark_everybody(tx, systems=systems, lane=int(lane), due_at=now)
    notify(tx, channel=OUTBOX_CHANNEL)
    return count


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


def doubt_bases(tx: Tx, *, record_ids: Sequence[int], shown: Sequence[int | None]) -> set[int]:
    """Have all fields of records compared that show something else than was agreed; returns which these are.

    `shown` are the fingerprints of what they show now, by which they are told apart; None doubts in any case.
    """
    return set(store.doubt_bases(tx, record_ids=record_ids, shown=shown)) if record_ids else set()


def drop_bases(tx: Tx, *, record_ids: Sequence[int]) -> None:
    """Forget the bases of records that are gone."""
    if record_ids:
        store.drop_bases(tx, record_ids=record_ids)
