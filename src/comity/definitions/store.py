"""Statements of the definitions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from comity.definitions.types_change import Apply
from comity.kernel.database import Tx
from comity.kernel.sql import Jsonb, SqlFolder

_sql = SqlFolder(__package__)


class VersionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A version as stored."""

    kind: str
    name: str
    version: int
    author: str
    applied_at: datetime
    body: Any
    source: str
    file: str
    line: int
    is_retired: bool


class NewestRow(msgspec.Struct, frozen=True, kw_only=True):
    """State of the newest version of a document."""

    kind: str
    name: str
    version: int
    sha256: bytes
    is_retired: bool


class NewVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version to append."""

    kind: str
    name: str
    version: int
    body: str
    sha256: bytes
    source: str
    file: str
    line: int
    is_retired: bool


def get_revision(tx: Tx) -> int:
    """Return the revision in force."""
    return int(_sql.get_revision.value(tx))


def lock_revision(tx: Tx) -> int:
    """Lock and return the revision in force."""
    return int(_sql.lock_revision.value(tx))


def next_revision(tx: Tx) -> int:
    """Move on by one and return the new revision."""
    return int(_sql.next_revision.value(tx))


def insert_apply(tx: Tx, *, revision: int, author: str, applied_at: datetime, summary: dict[str, list[str]]) -> int:
    """Record an apply and return its id."""
    return int(
        _sql.insert_apply.value(tx, revision=revision, author=author, applied_at=applied_at, summary=Jsonb(summary))
    )


def list_current(tx: Tx) -> list[VersionRow]:
    """Return the versions in force, by kind and name."""
    return _sql.list_current.fetch(tx, VersionRow)


def list_of_revision(tx: Tx, *, revision: int) -> list[VersionRow]:
    """Return the versions that were in force at a revision, by kind and name."""
    return _sql.list_of_revision.fetch(tx, VersionRow, revision=revision)


def list_newest(tx: Tx) -> list[NewestRow]:
    """Return the state of every document there ever was."""
    return _sql.list_newest.fetch(tx, NewestRow)


def list_versions(tx: Tx, *, kind: str, name: str, count_max: int) -> list[VersionRow]:
    """Return versions of a document, newest first."""
    return _sql.list_versions.fetch(tx, VersionRow, kind=kind, name=name, count_max=count_max)


def find_version(tx: Tx, *, kind: str, name: str, version: int | None) -> VersionRow | None:
    """Find one version, or the newest."""
    return _sql.find_version.fetch_one(tx, VersionRow, kind=kind, name=name, version=version)


def insert_versions(
    tx: Tx, *, versions: Sequence[NewVersion], apply_id: int, author: str, applied_at: datetime
) -> None:
    """Append versions."""
    _sql.insert_versions.execute(
        tx,
        apply_id=apply_id,
        author=author,
        applied_at=applied_at,
        kinds=[each.kind for each in versions],
        names=[each.name for each in versions],
        versions=[each.version for each in versions],
        bodies=[each.body for each in versions],
        hashes=[each.sha256 for each in versions],
        sources=[each.source for each in versions],
        files=[each.file for each in versions],
        lines=[each.line for each in versions],
        retired=[each.is_retired for each in versions],
    )


def refresh_sources(tx: Tx, *, rows: Sequence[tuple[str, str, int, str, str, int]]) -> int:
    """Keep the newest text of versions: kind, name, version, source, file, line. Returns how many differed."""
    columns = list(zip(*rows, strict=True)) or [()] * 6
    return _sql.refresh_sources.execute(
        tx,
        kinds=list(columns[0]),
        names=list(columns[1]),
        versions=list(columns[2]),
        sources=list(columns[3]),
        files=list(columns[4]),
        lines=list(columns[5]),
    )


def list_applies(tx: Tx, *, count_max: int) -> list[Apply]:
    """Return applies, newest first."""
    return _sql.list_applies.fetch(tx, Apply, count_max=count_max)


def list_types_ever(tx: Tx) -> dict[str, str]:
    """Return the type each attribute has or had."""
    return {row[0]: row[1] for row in _sql.list_types_ever.rows(tx)}
