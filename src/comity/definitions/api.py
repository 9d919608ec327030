"""The door of the definitions."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from comity.definitions import rules, store
from comity.definitions.checks import check_project
from comity.definitions.conditions import TODAY_PARAMETER, compile_condition
from comity.definitions.loading import Loaded, load_text
from comity.definitions.project import read_project
from comity.definitions.schemas import editor_schema, name_schema, write_json_schemas
from comity.definitions.shape import find_faults
from comity.definitions.starter import starter_files
from comity.definitions.types_change import (
    Apply,
    ApplyResult,
    AttributeTypeFixed,
    DefinitionsInvalid,
    Diff,
    DocumentUnknown,
    DocumentVersion,
    Plan,
    PlanItem,
    PlanStale,
)
from comity.definitions.types_document import SPEC_TYPES, Checker, Definitions, Document, Kind, Problem
from comity.kernel.database import Tx
from comity.kernel.errors import Broken, Invalid
from comity.kernel.wakeups import notify

__all__ = [
    "CHANNEL",
    "TODAY_PARAMETER",
    "AttributeTypeFixed",
    "DefinitionsInvalid",
    "DocumentUnknown",
    "Loaded",
    "PlanStale",
    "apply",
    "check_project",
    "compile_condition",
    "diff",
    "editor_schema",
    "export",
    "find_faults",
    "get_definitions",
    "get_definitions_of",
    "get_document",
    "get_revision",
    "list_applies",
    "list_current",
    "list_versions",
    "load_text",
    "name_schema",
    "plan",
    "read_project",
    "starter_files",
    "validate",
    "write_json_schemas",
]

CHANNEL = "comity_definitions"
"""Processes that listen here hear of a new revision at once; those that do not, see it when they poll."""

VERSIONS_MAX = 1_000
AUTHOR_LENGTH_MAX = 200


def validate(loaded: Loaded, *, checkers: Mapping[Kind, Checker] | None = None) -> tuple[Problem, ...]:
    """List every problem of what was read: of each document, and between them. Pure; empty means all is well."""
    found = check_project(loaded.documents, checkers=checkers, broken=loaded.broken, partials=loaded.partials)
    return tuple(sorted(loaded.problems + found, key=lambda each: (each.file, each.line, each.column)))


def get_revision(tx: Tx) -> int:
    """Return the number that grows with every apply; running processes poll it."""
    return store.get_revision(tx)


def get_definitions(tx: Tx) -> Definitions:
    """Return all documents in force with their revision; both belong together even while another one is applied."""
    while True:
        revision = store.get_revision(tx)
        documents = list_current(tx)
        if store.get_revision(tx) == revision:
            return Definitions(revision=revision, documents=documents)


def get_definitions_of(tx: Tx, *, revision: int) -> Definitions:
    """Return the documents that were in force at a revision."""
    rows = store.list_of_revision(tx, revision=revision)
    return Definitions(revision=revision, documents=tuple(_to_document(_to_version(row)) for row in rows))


def list_current(tx: Tx) -> tuple[Document, ...]:
    """Return the documents in force, by kind and name."""
    return tuple(_to_document(_to_version(row)) for row in store.list_current(tx))


def get_document(tx: Tx, *, kind: Kind, name: str, version: int | None = None) -> DocumentVersion:
    """Return one version of a document, the newest by default. Raises DocumentUnknown."""
    row = store.find_version(tx, kind=kind, name=name, version=version)
    if row is None:
        label = f"{kind}/{name}" + (f" version {version}" if version is not None else "")
        raise DocumentUnknown(f"There is no document {label}.", details={"kind": kind, "name": name})
    return _to_version(row)


def list_versions(tx: Tx, *, kind: Kind, name: str, count_max: int = 100) -> tuple[DocumentVersion, ...]:
    """Return versions of a document, newest first. Raises DocumentUnknown when it never existed."""
    rows = store.list_versions(tx, kind=kind, name=name, count_max=min(count_max, VERSIONS_MAX))
    if not rows:
        raise DocumentUnknown(f"There is no document {kind}/{name}.", details={"kind": kind, "name": name})
    return tuple(_to_version(row) for row in rows)


def list_applies(tx: Tx, *, count_max: int = 100) -> tuple[Apply, ...]:
    """Return who applied what when, newest first."""
    return tuple(store.list_applies(tx, count_max=min(count_max, VERSIONS_MAX)))


def diff(tx: Tx, *, kind: Kind, name: str, version_a: int, version_b: int) -> Diff:
    """Compare two versions of a document. Raises DocumentUnknown."""
    before = _to_document(get_document(tx, kind=kind, name=name, version=version_a))
    after = _to_document(get_document(tx, kind=kind, name=name, version=version_b))
    labels = (f"{kind}/{name} version {version_a}", f"{kind}/{name} version {version_b}")
    return Diff(
        text=rules.unified_diff(before, after, labels=labels), changes=rules.compare_specs(before.spec, after.spec)
    )


def plan(tx: Tx, *, documents: Sequence[Document]) -> Plan:
    """Say what applying these documents would do; changes nothing. The documents must be valid (see `validate`)."""
    current = get_definitions(tx)
    added, changed, removed, unchanged = rules.plan_items(current.documents, documents)
    return Plan(
        revision=current.revision,
        documents=tuple(documents),
        added=added,
        changed=changed,
        removed=removed,
        unchanged=unchanged,
    )


def apply(
    tx: Tx,
    *,
    plan: Plan,
    author: str,
    now: datetime,
    is_removal_allowed: bool = False,
    checkers: Mapping[Kind, Checker] | None = None,
) -> ApplyResult:
    """Put the documents of a plan in force, all or nothing, and wake the processes that listen.

    Unchanged documents make no version (their comments are kept). Documents in force that the plan does not hold stay,
    unless removal is allowed; a removed one gets a last version marked as retired. A second apply of the same plan is
    stale. Raises PlanStale, DefinitionsInvalid (the project that would result has problems) and AttributeTypeFixed.
    """
    if not author or len(author) > AUTHOR_LENGTH_MAX:
        raise Invalid(f"The author needs a name of at most {AUTHOR_LENGTH_MAX} characters.")
    revision = store.lock_revision(tx)
    if revision != plan.revision:
        raise PlanStale(details={"planned_on": plan.revision, "revision": revision})
    current = list_current(tx)
    _check_result(tx, current, plan, is_removal_allowed=is_removal_allowed, checkers=checkers)
    added, changed, removed, unchanged = rules.plan_items(current, plan.documents)
    gone, kept = (removed, ()) if is_removal_allowed else ((), removed)
    _refresh_sources(tx, current, plan.documents, unchanged)
    if not (added or changed or gone):
        return ApplyResult(revision=revision, apply_id=None, added=(), changed=(), removed=(), kept=kept)
    revision = store.next_revision(tx)
    summary = {"added": _labels(added), "changed": _labels(changed), "removed": _labels(gone)}
    apply_id = store.insert_apply(tx, revision=revision, author=author, applied_at=now, summary=summary)
    wanted = {document.key: document for document in plan.documents}
    before = {document.key: document for document in current}
    versions = {(row.kind, row.name): row.version for row in store.list_newest(tx)}
    store.insert_versions(
        tx,
        versions=[
            *(_new_version(wanted[item.kind, item.name], versions) for item in (*added, *changed)),
            *(_new_version(before[item.kind, item.name], versions, is_retired=True) for item in gone),
        ],
        apply_id=apply_id,
        author=author,
        applied_at=now,
    )
    notify(tx, channel=CHANNEL, payload=str(revision))
    return ApplyResult(revision=revision, apply_id=apply_id, added=added, changed=changed, removed=gone, kept=kept)


def export(tx: Tx) -> dict[str, str]:
    """Write the documents in force as files: path to text, comments kept. Planning them again changes nothing."""
    return rules.export_files(list_current(tx))


def _check_result(
    tx: Tx,
    current: Sequence[Document],
    plan: Plan,
    *,
    is_removal_allowed: bool,
    checkers: Mapping[Kind, Checker] | None,
) -> None:
    """Check the project as it would be, with the documents that stay."""
    wanted = {document.key for document in plan.documents}
    staying = [] if is_removal_allowed else [each for each in current if each.key not in wanted]
    problems = check_project([*plan.documents, *staying], checkers=checkers)
    if problems:
        raise DefinitionsInvalid(problems)
    for name, before, after in rules.refuse_type_changes(plan.documents, store.list_types_ever(tx)):
        raise AttributeTypeFixed(
            f"The attribute '{name}' is of type {before} and cannot become {after}; add one with another name.",
            details={"attribute": name, "type": before, "wanted": after},
        )


def _refresh_sources(
    tx: Tx, current: Sequence[Document], documents: Sequence[Document], unchanged: Iterable[PlanItem]
) -> None:
    before = {document.key: document for document in current}
    after = {document.key: document for document in documents}
    rows: list[tuple[str, str, int, str, str, int]] = []
    for item in unchanged:
        document = after[item.kind, item.name]
        if document.text:
            version = before[document.key].version
            rows.append((item.kind.value, item.name, version, document.text, document.file, document.line))
    if rows:
        store.refresh_sources(tx, rows=rows)


def _labels(items: Iterable[PlanItem]) -> list[str]:
    return [f"{item.kind}/{item.name}" for item in items]


def _new_version(
    document: Document, versions: Mapping[tuple[str, str], int], *, is_retired: bool = False
) -> store.NewVersion:
    return store.NewVersion(
        kind=document.kind.value,
        name=document.name,
        version=versions.get((document.kind.value, document.name), 0) + 1,
        body=rules.encode_spec(document.spec).decode(),
        sha256=rules.hash_spec(document.spec),
        source=document.text,
        file=document.file,
        line=document.line,
        is_retired=is_retired,
    )


def _to_version(row: store.VersionRow) -> DocumentVersion:
    kind = Kind(row.kind)
    try:
        spec = msgspec.convert(row.body, SPEC_TYPES[kind])
    except msgspec.ValidationError as error:
        raise Broken(f"The stored document {kind}/{row.name} version {row.version} cannot be read: {error}") from error
    return DocumentVersion(
        kind=kind,
        name=row.name,
        version=row.version,
        author=row.author,
        applied_at=row.applied_at,
        is_retired=row.is_retired,
        spec=spec,
        text=row.source,
        file=row.file,
        line=row.line,
    )


def _to_document(version: DocumentVersion) -> Document:
    return Document(
        kind=version.kind,
        name=version.name,
        spec=version.spec,
        version=version.version,
        file=version.file,
        line=version.line,
        text=version.text,
    )
