"""Unify: from the inbox to profiles, activity and stale marks.

`prepare` has done the pure half before (decode, map). The rest has two parts. `identify` settles whose the records are
and lets everything that hangs on them follow: who is new, or moved, is complete then. `apply_values` takes in what
known records say, purchases and returns, and moves the reader. Both in one transaction are `apply`. A batch that
`can_part` may have them in two, one after the other, so that the next batch is identified while the values of this one
are written. Should the second never come about, the batch is read again: identified again it changes nothing, and all
its records count as arrived, since what waited for new ones may wait still.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import compress
from uuid import UUID

import msgspec

from comity.activity import api as activity
from comity.activity.types import LinkedRecord, ProfileMove
from comity.identity import api as identity
from comity.identity.types import RecordKey, Resolution, Touched
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
"""Stands behind the last change that is in effect."""
IDENTITY_READER = "unify:identity"
"""Stands behind the last change whose record was identified."""
NOT_KNOWN = -1
"""In place of the count of moves: whose the records are has to be read again."""
MATCH_AGAIN_MAX = 500
"""Records of one transaction: it holds the lock that unify waits for."""


class Identified(msgspec.Struct, frozen=True, kw_only=True):
    """What `identify` found, record by record of the batch.

    `arrived` tells records that were not known before, or may not have been; `is_later` the ones whose values are
    still to be taken in. `profile_ids` are whose the records were after so many `moves`. `touched` is for those whose
    batches were recalled before this turn was committed.
    """

    touched: Touched
    record_ids: list[int]
    profile_ids: list[UUID]
    moves: int
    arrived: list[bool]
    is_later: list[bool]
    applied_count: int


def can_part(prepared: Prepared) -> bool:
    """True when the two parts of a batch may be two transactions: nothing in it ends."""
    return not prepared.deleted and not prepared.merged


def apply(tx: Tx, *, prepared: Prepared, runtime: Runtime, lease: Lease, ids: Ids, now: datetime) -> RunBooks:
    """Bring a prepared batch into effect and move the reader, in this transaction.

    Raises LeaseLost when another worker took over, or the reader stands elsewhere; then nothing happened.
    """
    identified = identify(tx, prepared=prepared, runtime=runtime, lease=lease, ids=ids, now=now)
    return apply_values(tx, prepared=prepared, identified=identified, runtime=runtime, lease=lease, ids=ids, now=now)


def identify(
    tx: Tx,
    *,
    prepared: Prepared,
    runtime: Runtime,
    lease: Lease,
    ids: Ids,
    now: datetime,
    trail: Sequence[Touched] = (),
) -> Identified:
    """Settle whose the records of a batch are, and take in what those say that nobody knew.

    Repeatable. Raises LeaseLost.
    """
    leases.check(tx, lease=lease)
    is_repeated = prepared.start < readers.get_position(tx, name=IDENTITY_READER)
    changed: set[UUID] = set()
    _adopt_own(tx, prepared, runtime=runtime, now=now)
    resolution = identity.resolve_records(
        tx,
        records=prepared.facts,
        match=runtime.match,
        now=now,
        ids=ids,
        recalled=prepared.recalled,
        trail=trail,
    )
    arrived = [True] * len(resolution.is_new) if is_repeated else resolution.is_new
    keys = [fact.key for fact in compress(prepared.facts, arrived)]
    merges = store.take_merges(tx, survivors=keys) if keys else []
    if merges:
        identity.lock_places(tx)  # Before any golden row is locked: whoever holds places waits for those.
    follow_identity(tx, resolution, runtime=runtime, now=now, changed=changed)
    at_once = [not is_steady for is_steady in resolution.is_steady]
    said = _Said(prepared, resolution.record_ids, resolution.profile_ids, at_once)
    news: list[RecordNews] = []
    applied = _take_in(tx, said, runtime=runtime, now=now, changed=changed, news=news)
    _follow_merges(tx, merges, runtime=runtime, now=now, ids=ids, changed=changed)
    if runtime.written_systems:
        outbox.note_changes(tx, profile_ids=changed, records=news)
    readers.advance(tx, name=IDENTITY_READER, position=prepared.end)
    return Identified(
        touched=Touched(
            turn=resolution.turn,
            external_ids=[fact.key.external_id for fact in prepared.facts],
            moved=[move.record_id for move in resolution.moved],
        ),
        record_ids=resolution.record_ids,
        profile_ids=resolution.profile_ids,
        moves=identity.count_moves(tx) if not merges else NOT_KNOWN,
        arrived=arrived,
        is_later=resolution.is_steady,
        applied_count=applied,
    )


def apply_values(
    tx: Tx, *, prepared: Prepared, identified: Identified, runtime: Runtime, lease: Lease, ids: Ids, now: datetime
) -> RunBooks:
    """Take in what an identified batch says, and move the reader. Raises LeaseLost as `apply` does."""
    leases.check(tx, lease=lease)
    if readers.get_position(tx, name=READER) != prepared.start:
        raise leases.LeaseLost("The unify reader has moved on.", details={"reader": READER})
    changed: set[UUID] = set()
    news: list[RecordNews] = []
    profile_ids = identity.hold_places(
        tx, record_ids=identified.record_ids, profile_ids=identified.profile_ids, moves=identified.moves
    )
    said = _Said(prepared, identified.record_ids, profile_ids, identified.is_later)
    applied = identified.applied_count
    applied += _take_in(tx, said, runtime=runtime, now=now, changed=changed, news=news)
    _attach_waiting(tx, prepared, profile_ids, identified.arrived, now=now)
    _follow_merges(tx, prepared.merged, runtime=runtime, now=now, ids=ids, changed=changed)
    _apply_ends(tx, prepared, runtime=runtime, now=now, ids=ids, changed=changed)
    applied += _accept_purchases(tx, prepared, now=now) + activity.accept_returns(tx, returns=prepared.returns, now=now)
    if runtime.written_systems:
        outbox.note_changes(tx, profile_ids=changed, records=news)
    inbox.park_changes(tx, parked=list(prepared.parked.values()), now=now)
    inbox.close_superseded(tx, change_ids=prepared.change_ids, now=now)
    readers.advance(tx, name=READER, position=prepared.end)
    books = _books(prepared, applied=applied)
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
    if resolution.merged or resolution.moved:
        identity.lock_places(tx)
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


class _Said:
    """Some records of a prepared batch and what they say, row by row."""

    def __init__(
        self, prepared: Prepared, record_ids: Sequence[int], profile_ids: Sequence[UUID], is_wanted: Sequence[bool]
    ) -> None:
        """Choose the wanted ones; all sequences are parallel to the facts of the batch."""
        self.keys = [fact.key for fact in compress(prepared.facts, is_wanted)]
        self.record_ids = list(compress(record_ids, is_wanted))
        self.profile_ids = list(compress(profile_ids, is_wanted))
        self.changed_ats = list(compress(prepared.changed_ats, is_wanted))
        self.shown = list(compress(prepared.shown, is_wanted))
        self.columns = {name: list(compress(column, is_wanted)) for name, column in prepared.columns.items()}


def _take_in(
    tx: Tx, said: _Said, *, runtime: Runtime, now: datetime, changed: set[UUID], news: list[RecordNews]
) -> int:
    """Take in what records say, and return how many said something new."""
    if not said.keys:
        return 0
    _leave_out_own_forms(tx, said)
    result = profile.apply_observations(
        tx,
        batch=ObservationBatch(
            record_ids=said.record_ids,
            profile_ids=said.profile_ids,
            systems=[key.system for key in said.keys],
            streams=[key.stream for key in said.keys],
            external_ids=[key.external_id for key in said.keys],
            columns=said.columns,
            changed_ats=said.changed_ats,
        ),
        model=runtime.model,
        now=now,
    )
    changed.update(result.changed_profile_ids)
    news += _list_news(said, touched={each.int for each in result.touched_profile_ids}, runtime=runtime)
    return result.applied_count


def _leave_out_own_forms(tx: Tx, said: _Said) -> None:
    """Leave out what a write under way may have to do with: it is no opinion of the system's, or not any more."""
    flights = outbox.list_flights(tx, record_ids=said.record_ids)
    if not flights:
        return
    for row, record_id in enumerate(said.record_ids):
        for attribute, flight in flights.get(record_id, {}).items():
            column = said.columns.get(attribute)
            if column is None or column[row] is ABSENT:
                continue
            if outbox.is_in_flight(msgspec.to_builtins(column[row]), flight):
                column[row] = ABSENT


def _list_news(said: _Said, *, touched: set[int], runtime: Runtime) -> list[RecordNews]:
    """List the records that are written to, to be compared where they say something new or show something else.

    What they said may have lost, and what they show may be no opinion (a field emptied, or never read): it is put
    right there. `touched` are the numbers of profiles: hashing a UUID calls Python.
    """
    written = set(runtime.written_systems)
    return [
        RecordNews(
            system=key.system,
            profile_id=profile_id,
            record_id=record_id,
            shown=None if profile_id.int in touched else shown,
        )
        for key, record_id, profile_id, shown in zip(
            said.keys, said.record_ids, said.profile_ids, said.shown, strict=True
        )
        if key.system in written
    ]


def _follow_merges(
    tx: Tx,
    merges: Iterable[tuple[RecordKey, RecordKey]],
    *,
    runtime: Runtime,
    now: datetime,
    ids: Ids,
    changed: set[UUID],
) -> None:
    """Take note of records, given first, that were merged into others in their system."""
    waiting = list(merges)
    for loser, survivor in waiting:
        known = identity.get_record_ids(tx, keys=[loser, survivor])
        if loser in known and survivor in known:
            merged = identity.merge_source_records(
                tx, loser_key=loser, survivor_key=survivor, match=runtime.match, now=now, ids=ids
            )
            follow_identity(tx, merged, runtime=runtime, now=now, changed=changed)
        elif loser in known:  # What it was merged into has not come in yet, or was never to be seen.
            store.put_merges(tx, merges=[(loser, survivor)], now=now)
        else:
            waiting += [(earlier, survivor) for earlier, _ in store.take_merges(tx, survivors=[loser])]


def _apply_ends(tx: Tx, prepared: Prepared, *, runtime: Runtime, now: datetime, ids: Ids, changed: set[UUID]) -> None:
    """Take note of records that were deleted or merged away in their system."""
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


def _attach_waiting(
    tx: Tx, prepared: Prepared, profile_ids: Sequence[UUID], arrived: Sequence[bool], *, now: datetime
) -> None:
    """Give purchases that waited for their person to the records that arrived."""
    linked = [
        LinkedRecord(
            system=fact.key.system,
            stream=fact.key.stream,
            external_id=fact.key.external_id,
            profile_id=profile_id,
        )
        for fact, profile_id, has_arrived in zip(prepared.facts, profile_ids, arrived, strict=True)
        if has_arrived
    ]
    activity.attach_waiting(tx, records=linked, now=now)


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
