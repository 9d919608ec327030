"""What crosses the door of systems."""

from datetime import datetime

import msgspec

from comity.kernel.errors import NotFound


class SystemUnknown(NotFound):
    """There is no such system."""


class SystemState(msgspec.Struct, frozen=True, kw_only=True):
    """A connected system and how it is doing."""

    system: str
    connector: str
    title: str
    state: str
    joined_at: datetime
    read_ok_at: datetime | None
    read_error_at: datetime | None
    read_error: str | None
    write_ok_at: datetime | None
    write_error_at: datetime | None
    write_error: str | None
    failures_in_row: int
    blocked_until: datetime | None
    hooks_refused_count: int
    hook_refused_at: datetime | None
    hook_refusal: str | None

    @property
    def latest_error(self) -> str | None:
        """What failed last, reading or writing; it may be long past (`failures_in_row`)."""
        if self.read_error_at is None or self.write_error_at is None:
            return self.read_error or self.write_error
        return self.read_error if self.read_error_at > self.write_error_at else self.write_error


class StreamCursor(msgspec.Struct, frozen=True, kw_only=True):
    """How far a stream of a system has been read.

    `whole_xid` is the transaction in which it was first read to the end, None before; it `is_settled` once all of that
    has been unified.
    """

    system: str
    stream: str
    cursor: str
    read_count: int
    moved_at: datetime
    whole_xid: int | None
    is_settled: bool
