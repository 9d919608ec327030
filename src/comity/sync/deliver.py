"""Delivery: from stale marks to records that show the golden state, with a verdict each.

No transaction is held over a remote call. Between two calls stands what has to survive a crash: the claim, the note
of what is about to be written (so that its echo is known whenever it comes), and at the end base and verdict.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from comity.connect.types import CallFailed, Connector, Outcome, ReadChange, Verdict, WriteItem
from comity.identity import api as identity
from comity.identity.api import CompiledMatch
from comity.identity.types import Record, RecordKey
from comity.inbox import api as inbox
from comity.kernel import readers
from comity.kernel.clock import Clock
from comity.kernel.database import Database, Tx
from comity.mapping import api as mapping
from comity.mapping.types import ABSENT, LOYALTY_TYPES
from comity.outbox import api as outbox
from comity.outbox.types import Claim, NewBase
from comity.profile import api as profile
from comity.profile.types import AdoptedRecord
from comity.sync import store
from comity.sync.desired import Item, load_items
from comity.sync.pull import to_changes
from comity.sync.runtime import Runtime
from comity.sync.types import RunBooks
from comity.sync.unify import READER
from comity.systems import api as systems

TAKE_IN_SECONDS = 0.1
"""How long a delivery waits for what a system holds to be taken in before it looks again."""


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one item: done, to be tried again, or parked; the worst of a person's items counts."""

    rank: int
    written: bool = False
    due_at: datetime | None = None
    is_failure: bool = False
    code: str = ""
    message: str = ""


DONE = Ending(rank=0)
WRITTEN = Ending(rank=0, written=True)


class Deliverer:
    """Brings one system up to date, a batch at a time."""

    def __init__(
        self, *, database: Database, clock: Clock, system: str, connector: Connector, match: CompiledMatch
    ) -> None:
        """Collaborators of one system's thread."""
        self._database = database
        self._clock = clock
        self.system = system
        self._connector = connector
        self._match = match

    def deliver(self, runtime: Runtime, *, batch_max: int) -> RunBooks:
        """Claim a batch, compare, write what differs, note verdicts; returns the books, all zero when nothing was due.

        Raises CallFailed when the system as a whole cannot be worked with; then the claims are due again later.
        """
        with self._database.transaction() as tx:
            claims = outbox.claim_stale(tx, system=self.system, now=self._clock.now(), count_max=batch_max)
            now = self._clock.now()
            items = load_items(tx, system=self.system, claims=claims, runtime=runtime, now=now) if claims else []
            busy = {item.claim.profile_id for item in items}
            quiet = [claim for claim in claims if claim.profile_id not in busy]
            self._finish(tx, quiet, [], {})
        endings: dict[str, Ending] = {}
        if items:
            try:
                theirs = self._read_before(items)
                with self._database.transaction() as tx:
                    endings = self._plan_writes(tx, items, theirs)
                self._write(items, endings)
            except CallFailed as error:
                self._put_off(claims, [item for item in items if item.key not in endings], error)
                raise
        written = sum(ending.written for ending in endings.values())
        parked = sum(ending.rank == 2 for ending in endings.values())
        later = sum(ending.rank == 1 for ending in endings.values())
        read = max(len(claims), len(items))
        books = RunBooks(
            read_count=read,
            applied_count=written,
            filtered_count=later,
            parked_count=parked,
            unchanged_count=read - written - later - parked,
        )
        if written or parked:
            with self._database.transaction() as tx:
                store.note_run(tx, kind="deliver", system=self.system, books=books, now=self._clock.now())
        return books

    def _read_before(self, items: Sequence[Item]) -> dict[tuple[str, str], ReadChange]:
        """Return what the system holds now, by stream and external id."""
        found: dict[tuple[str, str], ReadChange] = {}
        for stream, members in _by_stream(items).items():
            ids = [item.record.external_id for item in members if item.record is not None]
            if ids:
                fields = members[0].stream.vendor_fields
                for change in self._connector.fetch(stream, ids, fields=fields):
                    found[stream, change.external_id] = change
        return found

    def _plan_writes(
        self, tx: Tx, items: Sequence[Item], theirs: Mapping[tuple[str, str], ReadChange]
    ) -> dict[str, Ending]:
        """Take in what they hold; decide what to write; note it before it is written."""
        now = self._clock.now()
        states = list(theirs.values())
        changes = to_changes(self.system, states)
        inbox.accept_changes(tx, changes=changes, now=now)
        unread = inbox.list_unread(tx, changes=changes, position=readers.peek_position(tx, name=READER))
        not_taken_in = {(states[index].stream, states[index].external_id) for index in unread}
        endings: dict[str, Ending] = {}
        for item in items:
            if item.record is None:
                item.writes = dict(item.desired)
                continue
            place = (item.stream.spec.stream, item.record.external_id)
            state = theirs.get(place)
            if state is None or state.kind.value != "upsert" or place in not_taken_in:
                endings[item.key] = Ending(rank=1, due_at=now + timedelta(seconds=TAKE_IN_SECONDS))
            elif outbox.is_ping_pong(item.base, now=now):
                endings[item.key] = Ending(
                    rank=2,
                    code="ping_pong",
                    message="This record was written too often within the hour: something in the system writes "
                    "against Comity. Look at the system's own automation, then replay.",
                )
            else:
                self._compare(item, msgspec.json.decode(state.payload))
                if not item.writes:
                    endings[item.key] = DONE
        self._note_intents(tx, [item for item in items if item.writes], now=now)
        agreed = [item for item in items if item.agreed and item.record is not None]
        outbox.store_bases(
            tx, system=self.system, bases=[_to_base(item, item.agreed, is_write=False) for item in agreed], now=now
        )
        if len(endings) == len(items):
            self._finish(tx, [], items, endings)
        return endings

    def _compare(self, item: Item, payload: dict[str, Any]) -> None:
        stored = mapping.canonical_of_stored(item.stream.compiled, fields=payload)
        is_same = {
            field.field: stored.get(field.attribute, ABSENT) == item.canonical.get(field.attribute)
            for field in item.stream.spec.person_fields
            if field.direction.is_written
        }
        plan = outbox.plan_fields(candidates=item.candidates, theirs=payload, is_same=is_same, base=item.base)
        item.writes, item.agreed = plan.writes, plan.agreed

    def _note_intents(self, tx: Tx, items: Sequence[Item], *, now: datetime) -> None:
        noted = [item for item in items if item.record is not None]
        profile.note_written(
            tx,
            record_ids=[item.record.record_id for item in noted if item.record],
            values=[_golden_part(item, item.writes) for item in noted],
            now=now,
        )

    def _take_back_intents(self, tx: Tx, items: Sequence[Item], *, now: datetime) -> None:
        """A write did not arrive: its note goes; what we wrote before, which they still hold, counts again."""
        forgotten: dict[int, list[str]] = {}
        for item in items:
            if item.record is not None and item.writes:
                forgotten[item.record.record_id] = list(_golden_part(item, item.writes))
        profile.forget_written(tx, attributes=forgotten)
        for item in items:
            if item.record is not None and item.base is not None:
                before = {field: both["stored"] for field, both in item.base.fields.items() if field in item.writes}
                stored = mapping.canonical_of_stored(item.stream.compiled, fields=before)
                kept = {name: stored[name] for name in _golden_part(item, before)}
                profile.note_written(tx, record_ids=[item.record.record_id], values=[kept], now=now)

    def _write(self, items: Sequence[Item], endings: dict[str, Ending]) -> None:
        """Write what differs, read back, and note base and verdict. Items with an ending already are left alone."""
        open_items = [item for item in items if item.key not in endings]
        if not open_items:
            return
        verdicts: dict[str, Verdict] = {}
        for stream, members in _by_stream(open_items).items():
            batch = [_to_write(item) for item in members]
            verdicts.update({verdict.key: verdict for verdict in self._connector.write(stream, batch)})
        held = self._read_back(open_items, verdicts)
        now = self._clock.now()
        with self._database.transaction() as tx:
            inbox.accept_changes(tx, changes=to_changes(self.system, list(held.values())), now=now)
            bases: list[NewBase] = []
            for item in open_items:
                verdict = verdicts[item.key]
                state = held.get(item.key)
                ending = self._judge(item, verdict, state, now=now)
                endings[item.key] = ending
                if ending.rank == 0:
                    record = item.record or self._adopt(tx, item, state, verdict, now=now)
                    if record is not None:
                        bases.append(self._settle(tx, item, record, state, now=now))
            refused = [item for item in open_items if _is_surely_not_applied(verdicts[item.key])]
            self._take_back_intents(tx, refused, now=now)
            outbox.store_bases(tx, system=self.system, bases=bases, now=now)
            self._finish(tx, [], items, endings)
            systems.note_success(tx, system=self.system, is_write=True, now=now)

    def _read_back(self, items: Sequence[Item], verdicts: Mapping[str, Verdict]) -> dict[str, ReadChange]:
        """Return what the system made of the writes, by item key; a call that fails now costs only the reading."""
        held: dict[str, ReadChange] = {}
        for stream, members in _by_stream(items).items():
            by_id: dict[str, str] = {}
            for item in members:
                external_id = verdicts[item.key].external_id or (item.record.external_id if item.record else None)
                if external_id is not None and verdicts[item.key].outcome in _TO_READ_BACK:
                    by_id[external_id] = item.key
            if by_id:
                for change in self._connector.fetch(stream, list(by_id), fields=members[0].stream.vendor_fields):
                    if change.kind.value == "upsert" and change.external_id in by_id:
                        held[by_id[change.external_id]] = change
        return held

    def _judge(self, item: Item, verdict: Verdict, state: ReadChange | None, *, now: datetime) -> Ending:
        if verdict.outcome in {Outcome.DELIVERED, Outcome.UNCHANGED}:
            return WRITTEN if verdict.outcome is Outcome.DELIVERED else DONE
        if verdict.outcome is Outcome.UNKNOWN and state is not None and _holds(item, state):
            return WRITTEN
        if verdict.outcome is Outcome.GONE:
            return Ending(rank=1, due_at=now + timedelta(seconds=TAKE_IN_SECONDS), is_failure=True)
        if verdict.outcome is Outcome.REJECTED:
            return Ending(rank=2, code=verdict.reason_code or "rejected", message=verdict.message or "")
        due_at = outbox.plan_retry(attempts=item.claim.attempts, now=now, after_seconds=verdict.after_seconds)
        if due_at is None:
            return Ending(rank=2, code=verdict.reason_code or "retries_exhausted", message=verdict.message or "")
        return Ending(rank=1, due_at=due_at, is_failure=True)

    def _adopt(self, tx: Tx, item: Item, state: ReadChange | None, verdict: Verdict, *, now: datetime) -> Record | None:
        """Link a record that was created for a person to that person, before its echo can come in as a stranger."""
        external_id = verdict.external_id or (state.external_id if state else None)
        if external_id is None:
            return None
        key = RecordKey(self.system, item.stream.spec.stream, external_id)
        profile_id = item.claim.profile_id
        for record in identity.adopt_records(tx, records=[(key, profile_id)], match=self._match, now=now):
            adopted = AdoptedRecord(
                record_id=record.record_id,
                profile_id=record.profile_id,
                system=record.system,
                stream=record.stream,
                external_id=record.external_id,
            )
            profile.adopt_records(tx, records=[adopted])
            profile.note_written(tx, record_ids=[record.record_id], values=[_golden_part(item, item.writes)], now=now)
            return record
        return None

    def _settle(self, tx: Tx, item: Item, record: Record, state: ReadChange | None, *, now: datetime) -> NewBase:
        """Return the new base of a written record, and let what the system made of our values count as ours."""
        payload: dict[str, Any] = msgspec.json.decode(state.payload) if state is not None else {}
        if state is not None:
            stored = mapping.canonical_of_stored(item.stream.compiled, fields=payload)
            ours = _golden_part(item, item.writes)
            kept = {name: stored[name] for name in ours if stored.get(name, ABSENT) is not ABSENT}
            profile.note_written(tx, record_ids=[record.record_id], values=[{**ours, **kept}], now=now)
        return NewBase(
            record_id=record.record_id,
            fields={
                field: {"sent": value, "stored": payload.get(field, value)} for field, value in item.writes.items()
            },
            is_write=True,
        )

    def _finish(self, tx: Tx, claims: Sequence[Claim], items: Sequence[Item], endings: Mapping[str, Ending]) -> None:
        """Close the marks of people whose items have all ended; the worst ending of a person counts."""
        now = self._clock.now()
        worst: dict[UUID, Ending] = {claim.profile_id: DONE for claim in claims}
        marks: dict[UUID, int] = {claim.profile_id: claim.mark for claim in claims}
        for item in items:
            profile_id = item.claim.profile_id
            marks[profile_id] = item.claim.mark
            ending = endings[item.key]
            if profile_id not in worst or ending.rank > worst[profile_id].rank:
                worst[profile_id] = ending
        done = [profile_id for profile_id, ending in worst.items() if ending.rank == 0]
        again = [(profile_id, ending) for profile_id, ending in worst.items() if ending.rank == 1]
        parked = [(profile_id, ending) for profile_id, ending in worst.items() if ending.rank == 2]
        outbox.finish_stale(tx, system=self.system, profile_ids=done, marks=[marks[each] for each in done])
        outbox.retry_stale(
            tx,
            system=self.system,
            profile_ids=[profile_id for profile_id, _ in again],
            due_ats=[ending.due_at or now for _, ending in again],
            are_failures=[ending.is_failure for _, ending in again],
        )
        outbox.park_stale(
            tx,
            system=self.system,
            profile_ids=[profile_id for profile_id, _ in parked],
            marks=[marks[profile_id] for profile_id, _ in parked],
            codes=[ending.code for _, ending in parked],
            messages=[ending.message for _, ending in parked],
            now=now,
        )

    def _put_off(self, claims: Sequence[Claim], items: Sequence[Item], error: CallFailed) -> None:
        """The system as a whole failed: all claims are due again once it may be called again."""
        now = self._clock.now()
        with self._database.transaction() as tx:
            failures = next(
                (state.failures_in_row for state in systems.list_systems(tx) if state.system == self.system), 0
            )
            until = systems.note_failure(
                tx,
                system=self.system,
                is_write=True,
                message=error.message,
                failures_in_row=failures,
                retry_after_seconds=error.retry_after_seconds,
                now=now,
            )
            if not error.is_maybe_applied:
                self._take_back_intents(tx, items, now=now)
            outbox.retry_stale(
                tx,
                system=self.system,
                profile_ids=[claim.profile_id for claim in claims],
                due_ats=[until] * len(claims),
                are_failures=[False] * len(claims),
            )


_TO_READ_BACK = frozenset({Outcome.DELIVERED, Outcome.UNCHANGED, Outcome.UNKNOWN})


def _is_surely_not_applied(verdict: Verdict) -> bool:
    return verdict.outcome in {Outcome.RETRY, Outcome.REJECTED, Outcome.CONFLICT, Outcome.GONE}


def _by_stream(items: Sequence[Item]) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(item.stream.spec.stream, []).append(item)
    return found


def _to_write(item: Item) -> WriteItem:
    match_field = item.match_field
    return WriteItem(
        key=item.key,
        external_id=item.record.external_id if item.record else None,
        fields=item.writes,
        match_field=match_field if item.record is None else None,
        match_value=str(item.claim.profile_id) if item.record is None and match_field else None,
        idempotency_key=f"{item.claim.profile_id}:{item.claim.mark}",
    )


def _to_base(item: Item, held: Mapping[str, Any], *, is_write: bool) -> NewBase:
    if item.record is None:
        raise ValueError("A base belongs to a record.")
    fields = {field: {"sent": item.desired[field], "stored": value} for field, value in held.items()}
    return NewBase(record_id=item.record.record_id, fields=fields, is_write=is_write)


def _golden_part(item: Item, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the canonical golden values behind vendor fields; loyalty values are no observations."""
    return {
        field.attribute: item.canonical.get(field.attribute)
        for field in item.stream.spec.person_fields
        if field.field in fields and field.attribute not in LOYALTY_TYPES and field.direction.is_read
    }


def _holds(item: Item, state: ReadChange) -> bool:
    payload: dict[str, Any] = msgspec.json.decode(state.payload)
    stored = mapping.canonical_of_stored(item.stream.compiled, fields=payload)
    return all(
        stored.get(field.attribute, ABSENT) == item.canonical.get(field.attribute)
        for field in item.stream.spec.person_fields
        if field.field in item.writes
    )
