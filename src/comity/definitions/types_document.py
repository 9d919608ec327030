"""Documents, the set of documents in force, and problems found in them."""

import enum
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import msgspec

from comity.definitions.types_attribute import AttributeSpec
from comity.definitions.types_mapping import MappingSpec
from comity.definitions.types_match import MatchSpec
from comity.definitions.types_programme import ProgrammeSpec
from comity.definitions.types_rules import RulesSpec
from comity.definitions.types_system import SystemSpec

DOCUMENT_NAME = r"^[a-z][a-z0-9_-]{0,62}$"

Spec = SystemSpec | AttributeSpec | MappingSpec | MatchSpec | RulesSpec | ProgrammeSpec


class Kind(enum.StrEnum):
    """Kinds of documents."""

    SYSTEM = "system"
    ATTRIBUTE = "attribute"
    MAPPING = "mapping"
    MATCH = "match"
    RULES = "rules"
    PROGRAMME = "programme"


SPEC_TYPES: dict[Kind, type[Spec]] = {
    Kind.SYSTEM: SystemSpec,
    Kind.ATTRIBUTE: AttributeSpec,
    Kind.MAPPING: MappingSpec,
    Kind.MATCH: MatchSpec,
    Kind.RULES: RulesSpec,
    Kind.PROGRAMME: ProgrammeSpec,
}


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """One typed document; `version` is 0 until it is applied, `text` is its source with comments."""

    kind: Kind
    name: str
    spec: Spec
    version: int = 0
    file: str = ""
    line: int = 0
    text: str = ""

    @property
    def key(self) -> tuple[Kind, str]:
        """Kind and name, which together identify a document."""
        return (self.kind, self.name)


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong in a project: where it is, what it is, and what to do about it."""

    file: str
    line: int
    column: int
    document: str
    field: str
    message: str
    remedy: str

    def __str__(self) -> str:
        """Render as one line an editor can jump to."""
        place = f"{self.file}:{self.line}:{self.column}"
        about = " ".join(part for part in (self.document, self.field) if part)
        return f"{place}: {about}: {self.message} {self.remedy}" if about else f"{place}: {self.message} {self.remedy}"


class Finding(Protocol):
    """What a checker of another room says: a field of the spec such as `fields[2].lens`, what is wrong, what to do."""

    @property
    def field(self) -> str: ...  # noqa: D102 - see the class.

    @property
    def message(self) -> str: ...  # noqa: D102 - see the class.

    @property
    def remedy(self) -> str: ...  # noqa: D102 - see the class.


Checker = Callable[[Document, "Definitions"], Iterable[Finding]]
"""A check of one document against the project it stands in, brought by another room (lenses, connector settings)."""


class Definitions(msgspec.Struct, frozen=True, kw_only=True):
    """All documents in force at one revision, by kind and name.

    >>> Definitions(revision=0, documents=()).systems
    {}
    """

    revision: int
    documents: tuple[Document, ...]

    def list_kind(self, kind: Kind) -> Iterator[Document]:
        """Iterate over the documents of one kind, by name."""
        return iter(sorted((each for each in self.documents if each.kind is kind), key=lambda each: each.name))

    def find(self, kind: Kind, name: str) -> Document | None:
        """Find one document, or None."""
        return next((each for each in self.documents if each.kind is kind and each.name == name), None)

    @property
    def systems(self) -> dict[str, SystemSpec]:
        """Connected systems by name."""
        return {d.name: d.spec for d in self.list_kind(Kind.SYSTEM) if isinstance(d.spec, SystemSpec)}

    @property
    def attributes(self) -> dict[str, AttributeSpec]:
        """Golden attributes by name."""
        return {d.name: d.spec for d in self.list_kind(Kind.ATTRIBUTE) if isinstance(d.spec, AttributeSpec)}

    @property
    def mappings(self) -> dict[str, MappingSpec]:
        """Mappings by name."""
        return {d.name: d.spec for d in self.list_kind(Kind.MAPPING) if isinstance(d.spec, MappingSpec)}

    @property
    def match(self) -> Document | None:
        """The match document in force (there is at most one)."""
        return next(self.list_kind(Kind.MATCH), None)

    @property
    def rules(self) -> Document | None:
        """The rules document in force (there is at most one); its version is the version of the rules."""
        return next(self.list_kind(Kind.RULES), None)

    @property
    def match_spec(self) -> MatchSpec | None:
        """Match rules in force."""
        return self.match.spec if self.match and isinstance(self.match.spec, MatchSpec) else None

    @property
    def rules_spec(self) -> RulesSpec:
        """Orchestration rules in force; the default ones when there is no document."""
        return self.rules.spec if self.rules and isinstance(self.rules.spec, RulesSpec) else RulesSpec()

    @property
    def programmes(self) -> dict[str, ProgrammeSpec]:
        """Programmes by name."""
        return {d.name: d.spec for d in self.list_kind(Kind.PROGRAMME) if isinstance(d.spec, ProgrammeSpec)}

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """Attribute names of each group."""
        found: dict[str, tuple[str, ...]] = {}
        for name, spec in self.attributes.items():
            if spec.group is not None:
                found[spec.group] = (*found.get(spec.group, ()), name)
        return found
