"""The pure half of unify: a batch of changes decoded and mapped, and what is stored of it recalled."""

import contextlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from comity.activity.types import PurchaseFact, RecordReference, ReturnFact
from comity.definitions.types import EVENTS
from comity.identity import api as identity
from comity.identity.types import RecordFacts, RecordKey
from comity.inbox.types import Change, ChangeBatch, ChangeKind, ParkedChange
from comity.kernel.database import Tx
from comity.kernel.readers import Position
from comity.mapping import api as mapping
from comity.mapping.types import ABSENT, MappedBatch, Problem
from comity.sync.runtime import Runtime, StreamMapping


class Prepared(msgspec.Struct, kw_only=True):
    """A batch read and mapped, not yet applied. Only the runtime it was mapped with may apply it.

    It takes the reader from `start` to `end`; `change_ids` are the changes in between.
    """

    revision: int
    start: Position
    end: Position
    change_ids: list[int]
    facts: list[RecordFacts] = []
    columns: dict[str, list[Any]] = {}
    changed_ats: list[datetime] = []
    shown: list[int | None] = []
    purchases: list[PurchaseFact] = []
    returns: list[ReturnFact] = []
    deleted: list[RecordKey] = []
    merged: list[tuple[RecordKey, RecordKey]] = []
    parked: dict[int, ParkedChange] = {}
    carried: dict[RecordKey, UUID] = {}
    filtered_count: int = 0
    recalled: identity.Recalled | None = None


def prepare(batch: ChangeBatch, runtime: Runtime) -> Prepared:
    """Decode and map a batch. Pure; what cannot be used is parked with its reason."""
    prepared = _begin(batch, runtime)
    by_stream: dict[tuple[str, str], list[Change]] = {}
    deleted: dict[int, RecordKey] = {}
    for position, change in enumerate(batch.changes):
        if change.kind == ChangeKind.MERGE:
            if change.survivor_id is not None:
                prepared.merged.append((_key_of(change), RecordKey(change.system, change.stream, change.survivor_id)))
        elif change.kind == ChangeKind.DELETE:
            deleted[position] = _key_of(change)
        else:
            by_stream.setdefault((change.system, change.stream), []).append(change)
    if deleted:
        last = {_key_of(change): position for position, change in enumerate(batch.changes)}
        prepared.deleted.extend(key for position, key in deleted.items() if last[key] == position)
    for key, changes in by_stream.items():
        stream = runtime.streams.get(key)
        if stream is None:
            _park_unmapped(prepared, changes)
        elif stream.is_person:
            _add_people(prepared, stream, changes, runtime)
        else:
            _add_purchases(prepared, stream, changes)
    return prepared


def _key_of(change: Change) -> RecordKey:
    return RecordKey(change.system, change.stream, change.external_id)


def recall(tx: Tx, prepared: Prepared, runtime: Runtime) -> Prepared:
    """Add what is stored of the records of a batch, by the runtime it was mapped with; their turn is shorter then."""
    recalled = identity.recall_records(tx, records=prepared.facts, match=runtime.match)
    return msgspec.structs.replace(prepared, recalled=recalled)


def _begin(batch: ChangeBatch, runtime: Runtime) -> Prepared:
    change_ids = [change.change_id for change in batch.changes]
    return Prepared(revision=runtime.revision, start=batch.start, end=batch.end, change_ids=change_ids)


def give_up(batch: ChangeBatch, error: Exception, runtime: Runtime) -> Prepared:
    """Return a batch whose changes are parked, because taking them in fails whatever is tried."""
    message = f"{type(error).__name__}: {error}"[:500].replace("\x00", "")
    parked = {
        change.change_id: ParkedChange(
            change_id=change.change_id,
            code="unusable",
            message=f"Taking this record in fails: {message}",
            remedy="Correct the record in its system, or the mapping, then replay the parked items.",
        )
        for change in batch.changes
    }
    return msgspec.structs.replace(_begin(batch, runtime), parked=parked)


def _park_unmapped(prepared: Prepared, changes: Sequence[Change]) -> None:
    for change in changes:
        prepared.parked[change.change_id] = ParkedChange(
            change_id=change.change_id,
            code="stream_unmapped",
            message=f"No mapping takes stream {change.stream} of system {change.system}.",
            remedy="Apply a mapping for this stream, then replay the parked items.",
        )


def _park_problems(prepared: Prepared, changes: Sequence[Change], problems: Sequence[Problem]) -> None:
    for problem in problems:
        change_id = changes[problem.position].change_id
        prepared.parked.setdefault(
            change_id,
            ParkedChange(
                change_id=change_id,
                code=problem.code,
                field=problem.field,
                message=f"Found {problem.found}; expected {problem.expected}.",
                remedy=problem.remedy,
            ),
        )


def _read(prepared: Prepared, stream: StreamMapping, changes: Sequence[Change]) -> MappedBatch:
    mapped = mapping.read_records(
        stream.compiled,
        payloads=[change.payload for change in changes],
        external_ids=[change.external_id for change in changes],
        is_shown=stream.writes,
    )
    _park_problems(prepared, changes, mapped.problems)
    return mapped


def _add_people(prepared: Prepared, stream: StreamMapping, changes: Sequence[Change], runtime: Runtime) -> None:
    mapped = _read(prepared, stream, changes)
    if runtime.creates_in(stream.spec.system):
        _note_carried(prepared, stream, changes)
    count_before, count = len(prepared.facts), len(mapped.records)
    prepared.facts.extend(_to_facts(mapped, runtime))
    prepared.shown.extend(mapped.shown or [None] * count)
    for position, changed_at in zip(mapped.positions, mapped.changed_at, strict=True):
        change = changes[position]
        prepared.changed_ats.append(changed_at or change.source_at or change.received_at)
    for attribute, column in mapped.columns.items():
        prepared.columns.setdefault(attribute, [ABSENT] * count_before).extend(column)
    for attribute, column in prepared.columns.items():
        if attribute not in mapped.columns:
            column.extend([ABSENT] * count)


def _note_carried(prepared: Prepared, stream: StreamMapping, changes: Sequence[Change]) -> None:
    """Note which records show a Global ID: they may be ones we created."""
    path = stream.compiled.path_of("global_id")
    if path is None:
        return
    for change in changes:
        shown = mapping.canonical_of_stored(stream.compiled, fields=_decode(change.payload)).get("global_id")
        if isinstance(shown, str) and shown:
            with contextlib.suppress(ValueError):
                prepared.carried[_key_of(change)] = UUID(shown)


def _decode(payload: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(payload)
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType] - JSON.


def _to_facts(mapped: MappedBatch, runtime: Runtime) -> list[RecordFacts]:
    features: list[dict[str, str | None]] = [{} for _ in mapped.records]
    for attribute in runtime.match.attributes:
        for target, value in zip(features, mapped.columns.get(attribute, ()), strict=False):
            if value is not ABSENT:
                target[attribute] = _to_text(value)
    return [RecordFacts(key=key, features=feature) for key, feature in zip(mapped.records, features, strict=True)]


def _to_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def _add_purchases(prepared: Prepared, stream: StreamMapping, changes: Sequence[Change]) -> None:
    mapped = _read(prepared, stream, changes)
    columns = mapped.columns
    names = [each.removeprefix(EVENTS) for each in columns if each.startswith(EVENTS)]
    for index, key in enumerate(mapped.records):
        person: RecordKey | None = columns["person"][index]
        purchase_key = _tell(columns, "returns", index)
        if purchase_key is not None:
            prepared.returns.append(
                ReturnFact(
                    system=key.system,
                    stream=key.stream,
                    external_id=key.external_id,
                    business_key=columns["business_key"][index],
                    purchase_key=purchase_key,
                    occurred_at=columns["occurred_at"][index],
                    amount_minor=0 if _tell(columns, "cancelled", index) else abs(columns["amount_minor"][index]),
                    currency=columns["currency"][index],
                    details=_tell_details(columns, index),
                )
            )
            continue
        prepared.purchases.append(
            PurchaseFact(
                system=key.system,
                stream=key.stream,
                external_id=key.external_id,
                business_key=columns["business_key"][index],
                occurred_at=columns["occurred_at"][index],
                amount_minor=columns["amount_minor"][index],
                currency=columns["currency"][index],
                person=person
                and RecordReference(system=person.system, stream=person.stream, external_id=person.external_id),
                is_cancelled=bool(_tell(columns, "cancelled", index)),
                details=_tell_details(columns, index),
                events={name: _tell(columns, f"{EVENTS}{name}", index) for name in names} if names else None,
            )
        )


def _tell(columns: Mapping[str, list[Any]], name: str, index: int) -> Any:
    """Return a value that need not be there; None where nothing is said."""
    value = columns[name][index] if name in columns else None
    return None if value is ABSENT else value


def _tell_details(columns: Mapping[str, list[Any]], index: int) -> dict[str, Any] | None:
    details = {
        name: value
        for name in ("channel", "store", "brand", "lines")
        if (value := _tell(columns, name, index)) is not None
    }
    return details or None
