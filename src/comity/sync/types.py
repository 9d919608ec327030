"""What crosses the door of sync."""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from comity.kernel.errors import Invalid, Unavailable


class NotReady(Unavailable):
    """No definitions have been applied yet; run `comity apply` in the project directory."""


class RunBooks(msgspec.Struct, frozen=True, kw_only=True):
    """The books of a run: read = applied + unchanged + filtered + parked."""

    read_count: int = 0
    applied_count: int = 0
    unchanged_count: int = 0
    filtered_count: int = 0
    parked_count: int = 0


class Unmerged(msgspec.Struct, frozen=True, kw_only=True):
    """A person was parted: `global_id` keeps the other records, `parted_global_id` has those that were named.

    Points, vouchers and tier follow within moments, and then what systems show.
    """

    global_id: UUID
    parted_global_id: UUID
    records: list[str]
    decided_by: str
    reason: str
    is_duplicate: bool


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """People were found to be one: `merged_global_ids` are aliases of `global_id` now.

    Points, vouchers and tier follow within moments, and then what systems show.
    """

    global_id: UUID
    merged_global_ids: list[UUID]
    decided_by: str
    reason: str
    is_duplicate: bool


class Cause(StrEnum):
    """What made a golden value another one."""

    CHANGE = "change"
    DELETION = "deletion"
    LOAD = "load"
    MERGE = "merge"
    UNMERGE = "unmerge"
    DEFINITIONS = "definitions"


class ValueSource(msgspec.Struct, frozen=True, kw_only=True):
    """A record whose value became the golden one, or part of it; `changed_at` is the source's own time of the value."""

    system: str
    stream: str
    external_id: str
    value: Any
    changed_at: datetime | None


class ValueChange(msgspec.Struct, frozen=True, kw_only=True):
    """A golden value and what it replaced: when, from where, by which rule of which version.

    `happened_at` is when it reached the hub, `change_id` the change in the inbox that brought it. `actor` and `reason`
    belong to definitions, merges and partings: systems do not tell who edits their records.
    """

    attribute: str
    value: Any
    before: Any
    happened_at: datetime
    cause: Cause
    change_id: int | None
    sources: tuple[ValueSource, ...]
    rule: str
    rules_version: int
    revision: int
    actor: str
    reason: str


class PersonHistory(msgspec.Struct, frozen=True, kw_only=True):
    """How a person's golden values came about, oldest first.

    `is_cut` says that the oldest changes are left out; `differing` names attributes whose history does not end with
    the value that is stored, so that it cannot be the whole of it.
    """

    global_id: UUID
    changes: tuple[ValueChange, ...]
    is_cut: bool
    differing: tuple[str, ...]


class HintRow(msgspec.Struct, frozen=True, kw_only=True):
    """A record to fetch."""

    stream: str
    external_id: str
    hint_id: int


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What was found about one thing that a system needs: all right, unless there is a remedy."""

    area: str
    what: str
    remedy: str | None = None


class FieldOutcome(StrEnum):
    """What became of a field that was to be created. Hidden: it was there, and is not shown to us."""

    CREATED = "created"
    HIDDEN = "hidden"
    REFUSED = "refused"


class FieldMade(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a field that was to be created; why and what to do unless it was."""

    stream: str
    name: str
    outcome: FieldOutcome
    message: str | None = None
    remedy: str | None = None


class RecordFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of one stream's records: one JSON object a line, as the system's own API gives them."""

    system: str
    stream: str
    path: Path


class RejectedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line that is no record."""

    path: str
    line: int
    code: str
    message: str


class LoadReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of files: records taken in at once, records left to unify, lines that are none (the first ones)."""

    record_count: int
    profile_count: int
    inbox_count: int
    rejected_count: int
    rejected: list[RejectedLine]


class FileUnreadable(Invalid):
    """The file cannot be read."""


class StreamUnmapped(Invalid):
    """No mapping takes records of this stream of this system."""
