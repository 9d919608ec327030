"""What crosses the door of the identity room."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from comity.kernel.errors import Conflict, Invalid, NotFound, Refused
from comity.mapping.types import RecordKey

RECORDS_MAX: Final = 5_000
"""Records in one call at most."""

ABSENT_MARK: Final = "__absent"
"""A column of a frame that is called like a feature with this behind tells which records say nothing of it."""

PROFILE_CREATED: Final = "identity.profile_created"
"""Somebody is new, or, parted from whom they were merged with, a person of their own again; payload {"profile_id"}."""

PROFILES_MERGED: Final = "identity.profiles_merged"
"""Two profiles turned out to be one person; payload {"loser_profile_id", "survivor_profile_id"}."""

RECORDS_MOVED: Final = "identity.records_moved"
"""A record changed its profile; payload {"record_id", "source", "target"}."""


class RecordFacts(Struct, frozen=True, kw_only=True):
    """What matching needs to know of one record.

    `features` are canonical values as text (dates ISO, phones E.164). A feature left out is unchanged; None is empty.
    """

    key: RecordKey
    features: Mapping[str, str | None]


class Merge(Struct, frozen=True, kw_only=True):
    """Two profiles turned out to be one person: the loser is an alias of the survivor from now on."""

    loser: UUID
    survivor: UUID


class Move(Struct, frozen=True, kw_only=True):
    """A record changed its profile."""

    record_id: int
    source: UUID
    target: UUID


class Touched(Struct, frozen=True, kw_only=True):
    """What a turn of resolving touched: the ids of the records it settled, of whatever system, and those it moved."""

    turn: int
    external_ids: list[str]
    moved: list[int]


class Resolution(Struct, frozen=True, kw_only=True):
    """What became of a batch. `record_ids`, `profile_ids`, `is_new` and `is_steady` are parallel to the input.

    `is_steady` tells records that were known and alive before, with keys by the very rules in force.
    `moved` lists records known before that changed their profile. `affected_profile_ids` are the living profiles whose
    set of records changed; records that stayed where they were are not mentioned. `turn` is the number of the turn it
    took `resolve_records`.
    """

    record_ids: list[int]
    profile_ids: list[UUID]
    is_new: list[bool]
    is_steady: list[bool]
    created_profile_ids: list[UUID]
    merged: list[Merge]
    moved: list[Move]
    affected_profile_ids: list[UUID]
    turn: int = 0


class Record(Struct, frozen=True, kw_only=True):
    """One object in one system as identity knows it."""

    record_id: int
    system: str
    stream: str
    external_id: str
    profile_id: UUID
    is_deleted: bool
    linked_at: datetime
    rule: str

    @property
    def key(self) -> RecordKey:
        """The key of the record."""
        return RecordKey(self.system, self.stream, self.external_id)


class BulkLoad(Struct, frozen=True, kw_only=True):
    """What became of a population loaded in bulk: arrays parallel to the rows of its frame.

    `record_ids` are 64-bit integers (NumPy), `profile_ids` 16 bytes each (Polars). `make_ready` makes what is stored at
    the end of the load, some seconds of work for a million records: to be called once, while the database is busy.
    """

    record_ids: Any
    profile_ids: Any
    profiles_count: int
    make_ready: Callable[[], None]


class ReviewKind(StrEnum):
    """Why a link was not made."""

    SHARED_VALUE = "shared_value"
    CARDINALITY = "cardinality"
    CONFLICT = "conflict"
    TOO_LARGE = "too_large"


class Cause(Struct, frozen=True, kw_only=True):
    """Who decides that two are one person or not: the rules, a system that merged its records, or a steward."""

    source: str = "rules"
    actor: str = ""
    reason: str = ""


class MergeNote(Struct, frozen=True, kw_only=True):
    """A merge: `profile_id` became an alias of `other_profile_id`; or a parting: it came to be its own person again.

    `source` is rules, steward or vendor; `actor` the person who decided, or the system that merged two of its records.
    """

    history_id: int
    is_merge: bool
    profile_id: UUID
    other_profile_id: UUID
    source: str
    actor: str
    reason: str
    happened_at: datetime


class Review(Struct, frozen=True, kw_only=True):
    """A doubtful link that waits for a steward: two records, one that connects too many, or none (a shared value)."""

    review_id: int
    kind: ReviewKind
    rule: str
    value: str
    records: tuple[Record, ...]
    detail: dict[str, str | int]
    opened_at: datetime


class GuardFinding(Struct, frozen=True, kw_only=True):
    """What a guard saw in one attribute. `outcome` is agree, differ or missing; values are in the form compared."""

    guard: str
    attribute: str
    value_a: str | None
    value_b: str | None
    outcome: str


class RuleFinding(Struct, frozen=True, kw_only=True):
    """What one rule says of two records. `shared_by` counts the records that have the common key value."""

    rule: str
    key_a: str | None
    key_b: str | None
    is_equal: bool
    shared_by: int
    guards: tuple[GuardFinding, ...]
    verdict: str


class Explanation(Struct, frozen=True, kw_only=True):
    """Why two records are, or are not, one person.

    `remembered` are the links kept from earlier evidence; `decision` is what a steward or the vendor said; `path` is
    the chain of links that joins the two (empty when they are different people).
    """

    record_a: Record
    record_b: Record
    is_same: bool
    rules: tuple[RuleFinding, ...]
    remembered: tuple[str, ...]
    decision: str | None
    path: tuple[tuple[int, int, str], ...]
    summary: str


class MatchInvalid(Invalid):
    """The match rules cannot be used as they are."""


class KeyInvalid(Invalid):
    """A record key has an empty part or one with control characters."""


class TooManyRecords(Invalid):
    """Too many records in one call; take RECORDS_MAX at a time."""


class RecordUnknown(NotFound):
    """No such record is known."""


class RecordsKnown(Conflict):
    """The hub knows records already; loading in bulk is for a hub that knows none."""


class ProfileUnknown(NotFound):
    """No such profile is known."""


class MergeRefused(Refused):
    """These profiles cannot be merged or separated."""


class NothingToUnmerge(MergeRefused):
    """This person has one record only: there is nobody to part them from."""


__all__ = [
    "ABSENT_MARK",
    "PROFILES_MERGED",
    "PROFILE_CREATED",
    "RECORDS_MAX",
    "RECORDS_MOVED",
    "BulkLoad",
    "Cause",
    "Explanation",
    "GuardFinding",
    "KeyInvalid",
    "MatchInvalid",
    "Merge",
    "MergeNote",
    "MergeRefused",
    "Move",
    "NothingToUnmerge",
    "ProfileUnknown",
    "Record",
    "RecordFacts",
    "RecordKey",
    "RecordUnknown",
    "RecordsKnown",
    "Resolution",
    "Review",
    "ReviewKind",
    "RuleFinding",
    "TooManyRecords",
]
