"""What crosses the door of the outbox."""

from datetime import datetime
from enum import IntEnum
from typing import Any
from uuid import UUID

import msgspec


class Lane(IntEnum):
    """Priority of what makes somebody stale; smaller goes first (design decision 13)."""

    CONSENT = 1
    ERASURE = 2
    POINTS = 3
    PROFILE = 4
    SCHEDULED = 5
    """What waited for the tick of its cadence: behind all that is written at once."""
    BACKFILL = 6


class RecordNews(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A record of a system that is written to said or shows something: it may have to be put right there.

    `shown` is the fingerprint of what its written fields show; None when it said something new in any case.
    """

    system: str
    profile_id: UUID
    record_id: int
    shown: int | None


class TakenChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken from the log: how much, up to where, and the lane in which everybody is to be marked, if so."""

    taken_count: int
    last_xid: int
    last_id: int
    everybody_lane: int | None


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A person to be brought up to date in one system; `mark` tells whether more happened meanwhile.

    `waiting_since` is when the first of what is to be written came, or a tick that was waited for.
    """

    profile_id: UUID
    mark: int
    lane: int
    attempts: int
    waiting_since: datetime


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """What a record of a system and Comity last agreed on, per vendor field: {"sent": ..., "stored": ...}.

    It is doubted when the record has shown something else since it was last compared as a whole; `shown` is the
    fingerprint of what it then showed. `writes_in_hour` are the contested ones.
    """

    record_id: int
    fields: dict[str, dict[str, Any]]
    written_at: datetime
    writes_in_hour: int
    hour_started_at: datetime
    doubted_count: int = 0
    settled_count: int = 0

    @property
    def is_doubted(self) -> bool:
        """True while the record has to be compared as a whole."""
        return self.doubted_count > self.settled_count


class NewBase(msgspec.Struct, frozen=True, kw_only=True):
    """Fields to merge into a record's base; `is_contested` when a write took the place of something written after us.

    `shown` is the fingerprint of what the record shows if nobody but Comity touched it; None when that is not known.
    """

    record_id: int
    fields: dict[str, dict[str, Any]]
    is_contested: bool
    shown: int | None = None


class ParkedDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery set aside with its reason."""

    system: str
    profile_id: UUID
    lane: int
    attempts: int
    code: str
    message: str
    parked_at: datetime


class StaleCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many people are stale in a system, and how they stand.

    `held_count` is of those who wait for nothing but the tick of a cadence; they are not among those who wait.
    `unread_count` is what stands in the log of changes and was not taken into the marks yet; people of whom that says
    for sure that they are stale are among those who wait.
    """

    system: str
    waiting_count: int
    retrying_count: int
    parked_count: int
    held_count: int
    oldest_due_at: datetime | None
    unread_count: int = 0
