"""Unify: from the inbox to profiles, activity and stale marks, one transaction per batch.

`prepare` has done the pure half before (decode, map).
"""

from datetime import datetime
from uuid import UUID

import msgspec

from comity.activity import api as activity
from comity.activity.types import LinkedRecord, ProfileMove
from comity.identity import api as identity
from comity.identity.types import RecordKey, Resolution
from comity.inbox import api as inbox
from comity.kernel import leases, readers
from comity.kernel.database import Tx
from comity.kernel.ids import Ids
from comity.kernel.leases import Lease
from comity.mapping.types import ABSENT
from comity.outbox import api as outbox
from comity.outbox.types import RecordNews
from comity.profile import api as profile
from comity.profile.types import AdoptedRecord, Move, ObservationBatch
from comity.sync import store
from comity.sync.prepare import Prepared
from comity.sync.runtime import Runtime
from comity.sync.types import RunBooks

READER = "unify"
MATCH_AGAIN_MAX = 500
"""Records of one transaction: it holds the lock that unify waits for."""


def apply(tx: Tx, *, prepared: Prepared, runtime: Runtime, lease: Lease, ids: Ids, now: datetime) -> RunBooks:
    """Bring a prepared batch into effect and move the reader, in this transaction.

    Raises LeaseLost when another worker took over, Conflict when the reader stands elsewhere; then nothing happened.
    """
    leases.check(tx, lease=lease)
    position = readers.get_position(tx, name=READER)
    if position != prepared.start:
        raise leases.LeaseLost("The unify reader has moved on.", details={"reader": READER})
    changed: set[UUID] = set()
    _adopt_own(tx, prepared, runtime=runtime, now=now)
    resolution = identity.resolve_records(tx, records=prepared.facts, match=runtime.match, now=now, ids=ids)
    follow_identity(tx, resolution, runtime=runtime, now=now, changed=changed)
    news: list[RecordNews] = []
    applied = _apply_people(tx, prepared, resolution, runtime=runtime, now=now, changed=changed, news=news)
    _apply_ends(tx, prepared, resolution, runtime=runtime, now=now, ids=ids, changed=changed)
    new_purchases = _apply_purchases(tx, prepared, resolution, now=now)
    if runtime.written_systems:
        outbox.note_changes(tx, profile_ids=changed, records=news)
    inbox.park_changes(tx, parked=list(prepared.parked.values()), now=now)
    inbox.close_superseded(tx, change_ids=prepared.change_ids, now=now)
    readers.advance(tx, name=READER, position=prepared.end)
    books = _books(prepared, applied=applied + new_purchases)
    if books.read_count:
        store.note_run(tx, kind="unify", system=None, books=books, now=now)
    return books


def match_again(tx: Tx, *, runtime: Runtime, after_record_id: int, ids: Ids, now: datetime) -> int | None:
    """Resolve the next records whose keys were made by other match rules; returns where to go on, None at the end."""
    resolution = identity.resolve_stale_records(
        tx, match=runtime.match, now=now, ids=ids, limit=MATCH_AGAIN_MAX, after=after_record_id
    )
    if not resolution.record_ids:
        return None
    changed: set[UUID] = set()
    follow_identity(tx, resolution, runtime=runtime, now=now, changed=changed)
    if runtime.written_systems:
        outbox.note_changes(tx, profile_ids=changed)
    return max(resolution.record_ids)


def _adopt_own(tx: Tx, prepared: Prepared, *, runtime: Runtime, now: datetime) -> None:
    """Link records that show our Global ID to the person we created them for, before they can count as strangers.

    Their echo may be here before the answer to the write that created them is, or in place of it.
    """
    if not prepared.carried:
        return
    known = identity.get_record_ids(tx, keys=list(prepared.carried))
    wanted = {key: profile_id for key, profile_id in prepared.carried.items() if key not in known}
    if not wanted:
        return
    living = {row["profile_id"] for row in profile.get_profiles(tx, profile_ids=list(wanted.values()))}
    taken = {
        (record.profile_id, record.system, record.stream)
        for record in identity.list_records(tx, profile_ids=sorted(living))
        if not record.is_deleted
    }
    free = [
        (key, profile_id)
        for key, profile_id in wanted.items()
        if profile_id in living and (profile_id, key.system, key.stream) not in taken
    ]
    adopted = identity.adopt_records(tx, records=free, match=runtime.match, now=now)
    profile.adopt_records(
        tx,
        records=[
            AdoptedRecord(
                record_id=record.record_id,
                profile_id=record.profile_id,
                system=record.system,
                stream=record.stream,
                external_id=record.external_id,
            )
            for record in adopted
        ],
    )
    rows = {row["profile_id"]: row for row in profile.get_profiles(tx, profile_ids=[each for _, each in free])}
    for record in adopted:
        stream = runtime.streams[record.system, record.stream]
        written = {name: rows[record.profile_id].get(name) for name in stream.echoed_attributes}
        profile.note_written(tx, record_ids=[record.record_id], values=[written], now=now)


def follow_identity(tx: Tx, resolution: Resolution, *, runtime: Runtime, now: datetime, changed: set[UUID]) -> None:
    """Let everything that hangs on records follow them to the profiles they belong to now."""
    if resolution.merged:
        moves = [ProfileMove(loser_profile_id=m.loser, survivor_profile_id=m.survivor) for m in resolution.merged]
        activity.reassign_profiles(tx, moves=moves)
    if resolution.moved:
        moved = [Move(record_id=move.record_id, profile_id=move.target) for move in resolution.moved]
        touched = profile.move_records(tx, moves=moved)
        profile.refresh_profiles(tx, profile_ids=touched, model=runtime.model, now=now)
        activity.follow_records(tx, record_ids=[move.record_id for move in resolution.moved])
    changed.update(resolution.affected_profile_ids)
    changed.update(merge.loser for merge in resolution.merged)


def _apply_people(
    tx: Tx,
    prepared: Prepared,
    resolution: Resolution,
    *,
    runtime: Runtime,
    now: datetime,
    changed: set[UUID],
    news: list[RecordNews],
) -> int:
    if not prepared.facts:
        return 0
    _leave_out_own_forms(tx, prepared, resolution)
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
    news += _list_news(prepared, resolution, touched=set(result.touched_profile_ids), runtime=runtime)
    return result.applied_count


def _leave_out_own_forms(tx: Tx, prepared: Prepared, resolution: Resolution) -> None:
    """Leave out what a write under way may have to do with: it is no opinion of the system's, or not any more."""
    flights = outbox.list_flights(tx, record_ids=resolution.record_ids)
    if not flights:
        return
    for row, record_id in enumerate(resolution.record_ids):
        for attribute, flight in flights.get(record_id, {}).items():
            column = prepared.columns.get(attribute)
            if column is None or column[row] is ABSENT:
                continue
            if outbox.is_in_flight(msgspec.to_builtins(column[row]), flight):
                column[row] = ABSENT


def _list_news(prepared: Prepared, resolution: Resolution, *, touched: set[UUID], runtime: Runtime) -> list[RecordNews]:
    """List the records that are written to, to be compared where they say something new or show something else.

    What they said may have lost, and what they show may be no opinion (a field emptied, or never read): it is put
    right there.
    """
    written = set(runtime.written_systems)
    return [
        RecordNews(
            system=fact.key.system,
            profile_id=profile_id,
            record_id=record_id,
            shown=None if profile_id in touched else shown,
        )
        for fact, record_id, profile_id, shown in zip(
            prepared.facts, resolution.record_ids, resolution.profile_ids, prepared.shown, strict=True
        )
        if fact.key.system in written
    ]


def _apply_ends(
    tx: Tx,
    prepared: Prepared,
    resolution: Resolution,
    *,
    runtime: Runtime,
    now: datetime,
    ids: Ids,
    changed: set[UUID],
) -> None:
    """Take note of records that were deleted or merged away in their system."""
    arrived = [fact.key for fact, is_new in zip(prepared.facts, resolution.is_new, strict=True) if is_new]
    merges = [*prepared.merged, *(store.take_merges(tx, survivors=arrived) if arrived else ())]
    for loser, survivor in merges:
        known = identity.get_record_ids(tx, keys=[loser, survivor])
        if loser in known and survivor in known:
            merged = identity.merge_source_records(
                tx, loser_key=loser, survivor_key=survivor, match=runtime.match, now=now, ids=ids
            )
            follow_identity(tx, merged, runtime=runtime, now=now, changed=changed)
        elif loser in known:  # What it was merged into has not come in yet, or was never to be seen.
            store.put_merges(tx, merges=[(loser, survivor)], now=now)
        else:
            merges += [(earlier, survivor) for earlier, _ in store.take_merges(tx, survivors=[loser])]
    gone = [*prepared.deleted, *(loser for loser, _ in prepared.merged)]
    if not gone:
        return
    forgotten = identity.forget_records(tx, keys=gone, match=runtime.match, now=now, ids=ids)
    follow_identity(tx, forgotten, runtime=runtime, now=now, changed=changed)
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
    return _accept_purchases(tx, prepared, now=now) + activity.accept_returns(tx, returns=prepared.returns, now=now)


def _accept_purchases(tx: Tx, prepared: Prepared, *, now: datetime) -> int:
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
    read = len(prepared.change_ids)
    parked = len(prepared.parked)
    ends = len(prepared.deleted) + len(prepared.merged)
    applied = min(applied + ends, read - parked)
    return RunBooks(
        read_count=read, applied_count=applied, unchanged_count=read - parked - applied, parked_count=parked
    )
