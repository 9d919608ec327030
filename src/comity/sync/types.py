"""What crosses the door of sync."""

import msgspec

from comity.kernel.errors import Unavailable


class NotReady(Unavailable):
    """No definitions have been applied yet; run `comity apply` in the project directory."""


class RunBooks(msgspec.Struct, frozen=True, kw_only=True):
    """The books of a run: read = applied + unchanged + filtered + parked."""

    read_count: int = 0
    applied_count: int = 0
    unchanged_count: int = 0
    filtered_count: int = 0
    parked_count: int = 0


class RunTotals(msgspec.Struct, frozen=True, kw_only=True):
    """The books of all runs of one kind and system."""

    kind: str
    system: str | None
    run_count: int
    read_count: int
    applied_count: int
    unchanged_count: int
    filtered_count: int
    parked_count: int


class HintRow(msgspec.Struct, frozen=True, kw_only=True):
    """A record to fetch."""

    stream: str
    external_id: str
    hint_id: int
