"""What crosses the door of the profile room."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from comity.definitions.types import AttributeType, MergeKind, RuleKind
from comity.kernel.errors import Conflict, Invalid, NotFound
from comity.mapping.types import ABSENT, Absent, Value


class Attribute(msgspec.Struct, frozen=True, kw_only=True):
    """One column of the golden table."""

    name: str
    type: AttributeType
    group: str | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One way to decide a unit. `index` is its place in the rules document, None for the default rule."""

    index: int | None
    rule: RuleKind
    systems: tuple[str, ...] = ()
    merge: MergeKind | None = None
    when: str | None = None
    condition: str | None = None
    text: str = ""


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """What is decided as one: an attribute, or a group of attributes. The first entry whose condition holds decides."""

    name: str
    members: tuple[str, ...]
    entries: tuple[Entry, ...]

    @property
    def is_conditional(self) -> bool:
        """True when the entry depends on values of the profile."""
        return self.entries[0].when is not None


class Texts(msgspec.Struct, frozen=True, kw_only=True):
    """The SQL a model compiles to; see `observe_sql`, `decide_sql` and `golden_sql`."""

    stage_table: str
    stage_create: str
    observe: str
    refresh: str
    rebuild: str
    insert_all: str


class ProfileModel(msgspec.Struct, frozen=True, kw_only=True):
    """Attributes and orchestration rules, checked and compiled. Made by `api.compile_model`."""

    attributes: tuple[Attribute, ...]
    units: tuple[Unit, ...]
    rules_version: int
    texts: Texts


class ObservationBatch(msgspec.Struct, frozen=True, kw_only=True):
    """What records say now, column by column; all lists have the same length, one entry a record.

    An attribute that is missing from `columns` is ABSENT in every record. None means: the field is there and empty.
    `changed_ats` are the source's times; a record may occur several times.
    """

    record_ids: Sequence[int]
    profile_ids: Sequence[UUID]
    systems: Sequence[str]
    streams: Sequence[str]
    external_ids: Sequence[str]
    columns: Mapping[str, Sequence[Value | Absent]]
    changed_ats: Sequence[datetime]


class ApplyResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch did. applied_count + unchanged_count is the number of entries in the batch."""

    changed_profile_ids: list[UUID]
    """Profiles whose golden row is new or really differs from before."""
    touched_profile_ids: list[UUID]
    """Profiles one of whose records said something new, whether or not it won."""
    removed_profile_ids: list[UUID]
    """Profiles that were left without records because theirs moved with this batch."""
    applied_count: int
    """Entries that changed what is known of their record."""
    unchanged_count: int
    """Entries that said nothing new: replays, echoes and late versions included."""
    echo_count: int
    """Entries with at least one value that Comity had written itself."""
    late_count: int
    """Entries with at least one value ignored because a newer version of the record is known."""

    @classmethod
    def nothing(cls) -> "ApplyResult":
        """Return what an empty batch does."""
        return cls(
            changed_profile_ids=[],
            touched_profile_ids=[],
            removed_profile_ids=[],
            applied_count=0,
            unchanged_count=0,
            echo_count=0,
            late_count=0,
        )


class RefreshResult(msgspec.Struct, frozen=True, kw_only=True):
    """What recomputing did."""

    changed_profile_ids: list[UUID]
    removed_profile_ids: list[UUID]


class RebuildResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a rebuild of all profiles did."""

    changed_count: int
    removed_count: int


class BulkResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a bulk load brought in."""

    record_count: int
    profile_count: int


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A record that belongs to another profile from now on."""

    record_id: int
    profile_id: UUID


class AdoptedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record that Comity created in a system for a person."""

    record_id: int
    profile_id: UUID
    system: str
    stream: str
    external_id: str


class Reason(StrEnum):
    """Why a candidate did or did not become the golden value."""

    WON = "won"
    CONTRIBUTED = "contributed"
    OLDER = "older"
    LOWER_SYSTEM = "lower_system"
    LOST_TIE = "lost_tie"
    NOT_LISTED = "not_listed"
    NEVER_SAID = "never_said"
    NO_VALUE = "no_value"
    LESSER = "lesser"


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """What one record says about the attribute, and what became of it.

    `changed_at` is None when the record never had a value; `is_cleared` when it had one and lost it.
    """

    record_id: int
    system: str
    stream: str
    external_id: str
    value: Any
    changed_at: datetime | None
    is_cleared: bool
    reason: Reason
    sentence: str


class ConditionResult(msgspec.Struct, frozen=True, kw_only=True):
    """How a condition of the attribute's rules came out for this profile."""

    index: int
    when: str
    is_true: bool


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a golden value is what it is: the same decision, run with explanation on.

    A merged value may have no single winner; then `contributors` holds all that went into it. `value` is decided anew
    from the observations; `is_current` is False when the stored golden value differs (a refresh is due).
    """

    profile_id: UUID
    attribute: str
    value: Any
    is_current: bool
    winner: Candidate | None
    contributors: tuple[Candidate, ...]
    losers: tuple[Candidate, ...]
    rule: RuleKind
    rule_text: str
    rule_index: int | None
    rules_version: int
    conditions: tuple[ConditionResult, ...]


class ModelInvalid(Invalid):
    """The attributes and rules do not fit together."""


class BatchInvalid(Invalid):
    """The batch of observations is not well formed."""


class ColumnTypeChanged(Conflict):
    """An attribute has another type than the column it already has; the type of an applied attribute never changes."""


class Contended(Conflict):
    """Others kept changing the same records; try the batch again."""


class UnknownAttribute(Invalid):
    """There is no such attribute in the model."""


class UnknownProfile(NotFound):
    """No record belongs to this profile."""


__all__ = [
    "ABSENT",
    "Absent",
    "AdoptedRecord",
    "ApplyResult",
    "Attribute",
    "BatchInvalid",
    "BulkResult",
    "Candidate",
    "ColumnTypeChanged",
    "ConditionResult",
    "Contended",
    "Entry",
    "Explanation",
    "ModelInvalid",
    "Move",
    "ObservationBatch",
    "ProfileModel",
    "Reason",
    "RebuildResult",
    "RefreshResult",
    "Texts",
    "Unit",
    "UnknownAttribute",
    "UnknownProfile",
    "Value",
]
