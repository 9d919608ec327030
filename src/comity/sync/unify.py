"""Unify: from the inbox to profiles, activity and stale marks, one transaction per batch.

The pure half (decode, map) of the next batch is done on another thread while the database works on this one.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from comity.activity import api as activity
from comity.activity.types import LinkedRecord, ProfileMove, PurchaseFact, RecordReference
from comity.identity import api as identity
from comity.identity.types import RecordFacts, RecordKey, Resolution
from comity.inbox import api as inbox
from comity.inbox.types import Change, ChangeBatch, ChangeKind, ParkedChange
from comity.kernel import leases, readers
from comity.kernel.database import Tx
from comity.kernel.ids import Ids
from comity.kernel.leases import Lease
from comity.mapping import api as mapping
from comity.mapping.types import ABSENT, MappedBatch, Problem
from comity.outbox import api as outbox
from comity.outbox.types import Lane
from comity.profile import api as profile
from comity.profile.types import Move, ObservationBatch
from comity.sync import store
from comity.sync.runtime import Runtime, StreamMapping
from comity.sync.types import RunBooks

READER = "unify"


class Prepared(msgspec.Struct, kw_only=True):
    """A batch read and mapped, not yet applied. Only the runtime it was mapped with may apply it."""

    revision: int
    batch: ChangeBatch
    facts: list[RecordFacts] = []
    columns: dict[str, list[Any]] = {}
    changed_ats: list[datetime] = []
    purchases: list[PurchaseFact] = []
    deleted: list[RecordKey] = []
    merged: list[tuple[RecordKey, RecordKey]] = []
    parked: dict[int, ParkedChange] = {}
    filtered_count: int = 0


def prepare(batch: ChangeBatch, runtime: Runtime) -> Prepared:
    """Decode and map a batch. Pure; what cannot be used is parked with its reason."""
    prepared = Prepared(revision=runtime.revision, batch=batch)
    last: dict[RecordKey, int] = {}
    for position, change in enumerate(batch.changes):
        last[RecordKey(change.system, change.stream, change.external_id)] = position
    by_stream: dict[tuple[str, str], list[Change]] = {}
    for position, change in enumerate(batch.changes):
        key = RecordKey(change.system, change.stream, change.external_id)
        if change.kind == ChangeKind.MERGE:
            if change.survivor_id is not None:
                prepared.merged.append((key, RecordKey(change.system, change.stream, change.survivor_id)))
        elif change.kind == ChangeKind.DELETE:
            if last[key] == position:
                prepared.deleted.append(key)
        else:
            by_stream.setdefault((change.system, change.stream), []).append(change)
    for key, changes in by_stream.items():
        stream = runtime.streams.get(key)
        if stream is None:
            _park_unmapped(prepared, changes)
        elif stream.is_person:
            _add_people(prepared, stream, changes, runtime)
        else:
            _add_purchases(prepared, stream, changes)
    return prepared


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
    )
    _park_problems(prepared, changes, mapped.problems)
    return mapped


def _add_people(prepared: Prepared, stream: StreamMapping, changes: Sequence[Change], runtime: Runtime) -> None:
    mapped = _read(prepared, stream, changes)
    count_before, count = len(prepared.facts), len(mapped.records)
    prepared.facts.extend(_to_facts(mapped, runtime))
    for position, changed_at in zip(mapped.positions, mapped.changed_at, strict=True):
        change = changes[position]
        prepared.changed_ats.append(changed_at or change.source_at or change.received_at)
    for attribute, column in mapped.columns.items():
        prepared.columns.setdefault(attribute, [ABSENT] * count_before).extend(column)
    for attribute, column in prepared.columns.items():
        if attribute not in mapped.columns:
            column.extend([ABSENT] * count)


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
    for index, key in enumerate(mapped.records):
        person: RecordKey | None = columns["person"][index]
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
            )
        )


def apply(tx: Tx, *, prepared: Prepared, runtime: Runtime, lease: Lease, ids: Ids, now: datetime) -> RunBooks:
    """Bring a prepared batch into effect and move the reader, in this transaction.

    Raises LeaseLost when another worker took over, Conflict when the reader stands elsewhere; then nothing happened.
    """
    leases.check(tx, lease=lease)
    position = readers.get_position(tx, name=READER)
    if position != prepared.batch.start:
        raise leases.LeaseLost("The unify reader has moved on.", details={"reader": READER})
    changed: set[UUID] = set()
    resolution = identity.resolve_records(tx, records=prepared.facts, match=runtime.match, now=now, ids=ids)
    _follow_identity(tx, resolution, runtime=runtime, now=now, changed=changed)
    applied = _apply_people(tx, prepared, resolution, runtime=runtime, now=now, changed=changed)
    _apply_ends(tx, prepared, runtime=runtime, now=now, ids=ids, changed=changed)
    new_purchases = _apply_purchases(tx, prepared, resolution, now=now)
    outbox.mark_stale(tx, profile_ids=list(changed), systems=runtime.written_systems, lane=Lane.PROFILE, now=now)
    inbox.park_changes(tx, parked=list(prepared.parked.values()), now=now)
    readers.advance(tx, name=READER, position=prepared.batch.end)
    books = _books(prepared, applied=applied + new_purchases)
    if books.read_count:
        store.note_run(tx, kind="unify", system=None, books=books, now=now)
    return books


def _follow_identity(tx: Tx, resolution: Resolution, *, runtime: Runtime, now: datetime, changed: set[UUID]) -> None:
    """Let everything that hangs on records follow them to the profiles they belong to now."""
    if resolution.merged:
        moves = [ProfileMove(loser_profile_id=m.loser, survivor_profile_id=m.survivor) for m in resolution.merged]
        activity.reassign_profiles(tx, moves=moves)
        outbox.drop_marks(tx, profile_ids=[merge.loser for merge in resolution.merged])
    if resolution.moved:
        moved = [Move(record_id=move.record_id, profile_id=move.target) for move in resolution.moved]
        touched = profile.move_records(tx, moves=moved)
        profile.refresh_profiles(tx, profile_ids=touched, model=runtime.model, now=now)
    changed.update(resolution.affected_profile_ids)


def _apply_people(
    tx: Tx, prepared: Prepared, resolution: Resolution, *, runtime: Runtime, now: datetime, changed: set[UUID]
) -> int:
    if not prepared.facts:
        return 0
    result = profile.apply_observations(
        tx,
        batch=ObservationBatch(
            record_ids=resolution.record_ids,
            profile_ids=resolution.profile_ids,
            systems=[fact.key.system for fact in prepared.facts],
            streams=[fact.key.stream for fact in prepared.facts],
            external_ids=[fact.key.external_id for fact in prepared.facts],
            columns=prepared.columns,
            changed_ats=prepared.changed_ats,
        ),
        model=runtime.model,
        now=now,
    )
    changed.update(result.changed_profile_ids)
    return result.applied_count


def _apply_ends(tx: Tx, prepared: Prepared, *, runtime: Runtime, now: datetime, ids: Ids, changed: set[UUID]) -> None:
    """Take note of records that were deleted or merged away in their system."""
    for loser, survivor in prepared.merged:
        known = identity.get_record_ids(tx, keys=[loser, survivor])
        if loser in known and survivor in known:
            resolution = identity.merge_source_records(
                tx, loser_key=loser, survivor_key=survivor, match=runtime.match, now=now, ids=ids
            )
            _follow_identity(tx, resolution, runtime=runtime, now=now, changed=changed)
    gone = [*prepared.deleted, *(loser for loser, _ in prepared.merged)]
    if not gone:
        return
    resolution = identity.forget_records(tx, keys=gone, match=runtime.match, now=now, ids=ids)
    _follow_identity(tx, resolution, runtime=runtime, now=now, changed=changed)
    record_ids = list(identity.get_record_ids(tx, keys=gone).values())
    touched = profile.drop_observations(tx, record_ids=record_ids)
    outbox.drop_bases(tx, record_ids=record_ids)
    refreshed = profile.refresh_profiles(tx, profile_ids=touched, model=runtime.model, now=now)
    changed.update(refreshed.changed_profile_ids)


def _apply_purchases(tx: Tx, prepared: Prepared, resolution: Resolution, *, now: datetime) -> int:
    linked = [
        LinkedRecord(
            system=fact.key.system,
            stream=fact.key.stream,
            external_id=fact.key.external_id,
            profile_id=profile_id,
        )
        for fact, profile_id, is_new in zip(prepared.facts, resolution.profile_ids, resolution.is_new, strict=True)
        if is_new
    ]
    activity.attach_waiting(tx, records=linked, now=now)
    if not prepared.purchases:
        return 0
    people = [
        purchase.person and RecordKey(purchase.person.system, purchase.person.stream, purchase.person.external_id)
        for purchase in prepared.purchases
    ]
    found = identity.find_profiles_by_records(tx, keys=[key for key in set(people) if key is not None])
    accepted = activity.accept_purchases(
        tx,
        purchases=prepared.purchases,
        profile_ids=[found.get(key) if key is not None else None for key in people],
        now=now,
    )
    return sum(purchase.is_new for purchase in accepted)


def _books(prepared: Prepared, *, applied: int) -> RunBooks:
    read = len(prepared.batch.changes)
    parked = len(prepared.parked)
    ends = len(prepared.deleted) + len(prepared.merged)
    applied = min(applied + ends, read - parked)
    return RunBooks(
        read_count=read, applied_count=applied, unchanged_count=read - parked - applied, parked_count=parked
    )
