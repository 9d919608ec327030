"""The door of the outbox."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from comity.kernel.database import Tx
from comity.kernel.wakeups import notify
from comity.outbox import rules, store
from comity.outbox.types import Base, Claim, Lane, NewBase

__all__ = [
    "CLAIM_SECONDS",
    "OUTBOX_CHANNEL",
    "claim_stale",
    "count_stale",
    "drop_bases",
    "drop_marks",
    "finish_stale",
    "get_bases",
    "is_ping_pong",
    "list_parked",
    "mark_everybody",
    "mark_stale",
    "park_stale",
    "plan_candidates",
    "plan_fields",
    "plan_retry",
    "replay_parked",
    "retry_stale",
    "store_bases",
]

OUTBOX_CHANNEL = "comity_outbox"
CLAIM_SECONDS = 120.0
"""A worker that died gives its claims back after this."""

plan_candidates = rules.plan_candidates
plan_fields = rules.plan_fields
plan_retry = rules.plan_retry
is_ping_pong = rules.is_ping_pong
finish_stale = store.finish_stale
retry_stale = store.retry_stale
park_stale = store.park_stale
list_parked = store.list_parked
count_stale = store.count_stale
drop_marks = store.drop_marks


def mark_stale(
    tx: Tx, *, profile_ids: Sequence[UUID], systems: Sequence[str], lane: Lane = Lane.PROFILE, now: datetime
) -> None:
    """Note that these people may not be up to date in these systems. Repeating is harmless; a parked one is retried."""
    if profile_ids and systems:
        store.mark_stale(tx, profile_ids=profile_ids, systems=systems, lane=int(lane), due_at=now)
        notify(tx, channel=OUTBOX_CHANNEL)


def mark_everybody(tx: Tx, *, systems: Sequence[str], lane: Lane = Lane.BACKFILL, now: datetime) -> int:
    """Note that nobody may be up to date in these systems, as one statement; returns how many marks that made."""
    count = store.mark_everybody(tx, systems=systems, lane=int(lane), due_at=now)
    notify(tx, channel=OUTBOX_CHANNEL)
    return count


def claim_stale(tx: Tx, *, system: str, now: datetime, count_max: int) -> list[Claim]:
    """Take the most urgent due marks of a system; a claim not finished in time is free again."""
    return store.claim_stale(
        tx, system=system, now=now, claimed_until=now + timedelta(seconds=CLAIM_SECONDS), count_max=count_max
    )


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


def drop_bases(tx: Tx, *, record_ids: Sequence[int]) -> None:
    """Forget the bases of records that are gone."""
    if record_ids:
        store.drop_bases(tx, record_ids=record_ids)
