"""What is in force for people to read; who changed which definition, when, and what is different since."""

from datetime import datetime

import msgspec

from comity.definitions import api as definitions
from comity.definitions.types import FieldChange, Kind
from comity.kernel.database import Tx
from comity.kernel.errors import Invalid
from comity.mapping import api as mapping
from comity.profile import api as profile
from comity.sync.api import Runtime

VERSIONS_MAX = 50


class DocumentNameMalformed(Invalid):
    """A document is named as kind/name, such as rules/default."""


class VersionView(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a document; `changes` are those since the version before, `is_retired` says that it ended it."""

    version: int
    author: str
    applied_at: datetime
    is_retired: bool
    changes: tuple[FieldChange, ...]
    text: str


def to_kind(text: str) -> Kind:
    """Read the kind of a document. Raises DocumentNameMalformed."""
    try:
        return Kind(text)
    except ValueError:
        remedy = f"Kinds are {', '.join(Kind)}; write kind/name."
        raise DocumentNameMalformed(f"{text!r} is no kind of document.", details={"remedy": remedy}) from None


def list_history(tx: Tx, *, kind: Kind, name: str) -> list[VersionView]:
    """Return the latest versions of a document, newest first, each with what it changed. Raises DocumentUnknown."""
    versions = definitions.list_versions(tx, kind=kind, name=name, count_max=VERSIONS_MAX)
    return [
        VersionView(
            version=each.version,
            author=each.author,
            applied_at=each.applied_at,
            is_retired=each.is_retired,
            changes=definitions.diff(
                tx, kind=kind, name=name, version_a=each.version - 1, version_b=each.version
            ).changes
            if each.version > 1
            else (),
            text=each.text,
        )
        for each in versions
    ]


def tell_change(change: FieldChange) -> str:
    """Say in a line what became of a field."""
    return f"{change.field}: {_tell(change.before)} → {_tell(change.after)}"


def _tell(value: object) -> str:
    """Return a value of a document as one would write it: text as it is, what has parts as JSON."""
    if value is None:
        return "nothing"
    return value if isinstance(value, str) and value else msgspec.json.encode(value).decode()


def describe_runtime(runtime: Runtime) -> str:
    """Write as Markdown which field means what in every system, and which system leads in which attribute."""
    mappings = mapping.document(each.compiled for each in runtime.streams.values())
    return f"{mappings}\n{profile.document(runtime.model)}"
