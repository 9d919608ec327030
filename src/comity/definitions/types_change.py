"""Versions, differences, plans and what came of applying them."""

from datetime import datetime
from typing import Any

import msgspec

from comity.definitions.types_document import Document, Kind, Problem, Spec
from comity.kernel.errors import Conflict, Invalid, NotFound, Refused


class DocumentVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a document, with its author and time."""

    kind: Kind
    name: str
    version: int
    author: str
    applied_at: datetime
    is_retired: bool
    spec: Spec
    text: str
    file: str
    line: int


class FieldChange(msgspec.Struct, frozen=True, kw_only=True):
    """One field that differs. `before` is None when it is new, `after` when it is gone."""

    field: str
    before: Any
    after: Any


class Diff(msgspec.Struct, frozen=True, kw_only=True):
    """The difference of two versions: for people as text, for programs by field."""

    text: str
    changes: tuple[FieldChange, ...]


class PlanItem(msgspec.Struct, frozen=True, kw_only=True):
    """One document a plan touches, and the fields that change."""

    kind: Kind
    name: str
    changes: tuple[FieldChange, ...] = ()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What applying documents would do, made on one revision and good for that revision only.

    `removed` are documents in force that are not among those planned; they go only when removal is asked for.
    """

    revision: int
    documents: tuple[Document, ...]
    added: tuple[PlanItem, ...]
    changed: tuple[PlanItem, ...]
    removed: tuple[PlanItem, ...]
    unchanged: tuple[PlanItem, ...]

    @property
    def is_empty(self) -> bool:
        """True when applying would change nothing, removal included."""
        return not (self.added or self.changed or self.removed)


class ApplyResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was applied. `revision` is the one before when nothing changed; then `apply_id` is None."""

    revision: int
    apply_id: int | None
    added: tuple[PlanItem, ...]
    changed: tuple[PlanItem, ...]
    removed: tuple[PlanItem, ...]
    kept: tuple[PlanItem, ...]


class Apply(msgspec.Struct, frozen=True, kw_only=True):
    """One apply in the history."""

    apply_id: int
    revision: int
    author: str
    applied_at: datetime
    summary: dict[str, list[str]]


class DefinitionsInvalid(Invalid):
    """The definitions have problems; nothing was applied."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        """Carry every problem, so that all can be shown at once."""
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        first = f" First: {problems[0]}" if problems else ""
        super().__init__(
            f"The definitions have {count}; nothing was applied.{first}",
            details={"problems": [msgspec.to_builtins(problem) for problem in problems]},
        )
        self.problems = problems


class PlanStale(Conflict):
    """The definitions were changed since this plan was made; make a new one."""


class DocumentUnknown(NotFound):
    """There is no such document or version."""


class AttributeTypeFixed(Refused):
    """The type of an attribute that was applied once never changes; add an attribute with another name."""
