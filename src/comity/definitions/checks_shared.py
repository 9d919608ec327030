"""What the checks of all kinds share: the project they look into, and what they find."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol, TypeVar

import msgspec

from comity.definitions.conditions import compile_condition
from comity.definitions.shape import suggest
from comity.definitions.types_attribute import AttributeType
from comity.definitions.types_condition import Column, ConditionInvalid
from comity.definitions.types_document import Definitions, Kind
from comity.definitions.types_programme import LOYALTY_TYPES
from comity.definitions.types_system import interval_seconds

SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)

Path = tuple[str | int, ...]
"""The way to a field inside a spec."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One thing found: the path inside the spec, what is wrong, what to do."""

    path: Path
    message: str
    remedy: str


class Named(Protocol):
    """Anything with a name."""

    @property
    def name(self) -> str: ...  # noqa: D102 - see the class.


NamedT = TypeVar("NamedT", bound=Named)


class Project:
    """All documents of a project, and the names of those that could not be read."""

    def __init__(self, *, definitions: Definitions, broken: frozenset[tuple[str, str]]) -> None:
        """Look everything up once."""
        self.definitions = definitions
        self.systems = definitions.systems
        self.attributes = definitions.attributes
        self.groups = definitions.groups
        self.mappings = definitions.mappings
        self._broken = broken

    def has(self, kind: Kind, name: str) -> bool:
        """True when a document exists, even if it could not be read."""
        names = self.systems if kind is Kind.SYSTEM else self.attributes
        return name in names or (kind.value, name) in self._broken

    @property
    def has_broken_attributes(self) -> bool:
        """True when some attribute could not be read, so that types are not all known."""
        return any(kind == Kind.ATTRIBUTE for kind, _ in self._broken)


def check_systems(names: Sequence[str], project: Project, *, path: Path) -> Iterator[Found]:
    """Each of these systems exists and is named once."""
    for index, name in enumerate(names):
        if not project.has(Kind.SYSTEM, name):
            yield Found(
                path=(*path, index),
                message=f"There is no system '{name[:60]}'.",
                remedy=suggest(name, list(project.systems), what="Systems"),
            )
        elif name in names[:index]:
            yield Found(path=(*path, index), message=f"The system '{name}' stands twice.", remedy="Remove one.")


def check_attribute_name(name: str, project: Project, *, path: Path) -> Iterator[Found]:
    """The attribute exists."""
    if not project.has(Kind.ATTRIBUTE, name):
        yield Found(
            path=path,
            message=f"There is no attribute '{name[:60]}'.",
            remedy=suggest(name, list(project.attributes), what="Attributes"),
        )


def check_cadence(text: str, *, path: Path) -> Iterator[Found]:
    """It is an interval, or a cron line that comes round."""
    if interval_seconds(text) is None and not _is_cron(text):
        yield Found(
            path=path,
            message=f"'{text[:60]}' is no interval.",
            remedy="Write a count with s, m, h or d (5s, 2m), or a cron line of five fields.",
        )


def _is_cron(text: str) -> bool:
    from croniter import CroniterError, croniter

    if len(text.split()) != 5:
        return False
    try:
        return croniter(text, SOME_DAY).get_next(datetime) > SOME_DAY
    except CroniterError:  # No form of a cron line, or a day that never comes, such as 30 February.
        return False


def check_condition(
    text: str,
    project: Project,
    *,
    path: Path,
    has_loyalty: bool = False,
    words: Mapping[str, AttributeType] | None = None,
) -> Iterator[Found]:
    """The condition compiles over the attributes (and the loyalty values, where they are known), or over `words`."""
    types = {name: spec.type for name, spec in project.attributes.items()}
    if has_loyalty:
        types |= LOYALTY_TYPES
    types = words if words is not None else types
    vocabulary = {name: Column(sql="x", type=kind) for name, kind in types.items()}
    try:
        compile_condition(text, vocabulary=vocabulary)
    except ConditionInvalid as error:
        if not (project.has_broken_attributes and "no attribute" in error.reason):
            yield Found(path=path, message=str(error.message), remedy=error.remedy)


def check_unique(names: Sequence[str], *, path: Path, what: str, offset: int = 0) -> Iterator[Found]:
    """No name stands twice; the first `offset` names stand elsewhere in the spec."""
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Found(
                path=(*path, index - offset, "name"),
                message=f"There are two {what} called {name}.",
                remedy="Give each its own name.",
            )


def find_name(name: str | None, known: Sequence[NamedT]) -> NamedT | None:
    """Find what has this name; None stands for the first."""
    return next((each for each in known if name in {None, each.name}), None)
