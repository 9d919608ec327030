"""What crosses the door of the inbox."""

from datetime import datetime
from enum import StrEnum

import msgspec

from comity.kernel.readers import Position


class ChangeKind(StrEnum):
    """What happened to a record in its system."""

    UPSERT = "upsert"
    DELETE = "delete"
    RESTORE = "restore"
    MERGE = "merge"


class NewChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change to be stored. `version` tells this change of the record from every other: an event id or a stamp."""

    system: str
    stream: str
    external_id: str
    version: str
    payload: bytes
    kind: str = ChangeKind.UPSERT
    source_at: datetime | None = None
    survivor_id: str | None = None


class Change(msgspec.Struct, frozen=True):
    """A stored change; fields in the order in which `read_changes` tells them."""

    change_id: int
    xid: int
    system: str
    stream: str
    external_id: str
    version: str
    kind: str
    source_at: datetime | None
    received_at: datetime
    survivor_id: str | None
    payload: bytes


class ChangeBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Changes in order, the place they start behind and the place a reader may move to with their effects."""

    changes: list[Change]
    start: Position
    end: Position

    def halve(self) -> tuple["ChangeBatch", "ChangeBatch"]:
        """Return the batch as two, in order."""
        middle = len(self.changes) // 2
        last = self.changes[middle - 1]
        between = Position(xid=last.xid, id=last.change_id)
        return (
            ChangeBatch(changes=self.changes[:middle], start=self.start, end=between),
            ChangeBatch(changes=self.changes[middle:], start=between, end=self.end),
        )


class ParkedChange(msgspec.Struct, frozen=True, kw_only=True):
    """Why a change cannot be used: which field, what was expected, what to do."""

    change_id: int
    code: str
    message: str
    field: str | None = None
    remedy: str | None = None


class ParkedItem(msgspec.Struct, frozen=True, kw_only=True):
    """A parked change as shown to people.

    `closed_by` says what closed it: `replay`, `change N` (a newer one of the record), or somebody.
    """

    change_id: int
    system: str
    stream: str
    external_id: str
    version: str
    code: str
    field: str | None
    message: str
    remedy: str | None
    parked_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    payload_excerpt: str


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """What of one system waits to be unified."""

    system: str
    waiting_count: int
    oldest_at: datetime
