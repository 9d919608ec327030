"""Delivery: from stale marks to records that show the golden state, with a verdict each.

No transaction is held over a remote call. Between two calls stands what has to survive a crash: the note of what is
about to be written (so that its echo is known whenever it comes), and at the end base and verdict. The lease of the
system's deliveries is the claim on its marks: every transaction here makes sure that it is still held.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

import msgspec

from comity.connect.types import CallFailed, Connector, Outcome, ReadChange, Verdict
from comity.identity import api as identity
from comity.identity.types import Record, RecordKey
from comity.inbox import api as inbox
from comity.kernel import leases, readers
from comity.kernel.clock import Clock
from comity.kernel.database import Database, Tx, is_data_fault
from comity.kernel.leases import Lease
from comity.kernel.telemetry import get_logger
from comity.mapping import api as mapping
from comity.mapping.types import ABSENT
from comity.outbox import api as outbox
from comity.outbox.types import Claim, NewBase
from comity.profile import api as profile
from comity.profile.types import AdoptedRecord
from comity.sync import endings as rules
from comity.sync import store
from comity.sync.closing import close_marks, give_up, put_off_all
from comity.sync.desired import Item, load_items
from comity.sync.endings import DONE, PING_PONG, Ending
from comity.sync.first_read import settle_first_reads
from comity.sync.pull import to_changes
from comity.sync.runtime import Runtime
from comity.sync.types import RunBooks
from comity.sync.unify import READER
from comity.sync.writing import write_items
from comity.systems import api as systems

log = get_logger()


class Deliverer:
    """Brings one system up to date, a batch at a time."""

    def __init__(self, *, database: Database, clock: Clock, system: str) -> None:
        """Collaborators of one system's thread."""
        self._database = database
        self._clock = clock
        self.system = system
        self._batch_max: int | None = None

    def deliver(self, runtime: Runtime, connector: Connector, *, lease: Lease, batch_max: int) -> RunBooks:
        """Take the due marks, compare, write what differs, note verdicts; returns the books, zero when none was due.

        A person for whom a step fails by itself is found by halving the batch, and parked. Raises CallFailed when the
        system as a whole cannot be worked with (then the marks are due again later), LeaseLost.
        """
        batch = _Batch(self, runtime, connector, lease)
        count_max = min(batch_max, self._batch_max or batch_max)
        with batch.transaction() as tx:
            settle_first_reads(tx, system=self.system, runtime=runtime)
            claims = outbox.claim_stale(tx, system=self.system, now=self._clock.now(), count_max=count_max)
        if not claims:
            return RunBooks()
        try:
            books = batch.deliver(claims)
        except Exception as error:
            if not is_data_fault(error):
                raise
            log.exception("delivery_step_failed", system=self.system, batch=len(claims))
            self._batch_max = max(1, len(claims) // 2)
            if len(claims) > 1:
                return RunBooks(read_count=len(claims), filtered_count=len(claims))
            with batch.transaction() as tx:
                give_up(tx, system=self.system, claims=claims, error=error, now=self.now())
            return RunBooks(read_count=1, parked_count=1)
        self._batch_max = None if self._batch_max is None or self._batch_max >= batch_max else self._batch_max * 2
        return books

    def open(self, lease: Lease) -> AbstractContextManager[Tx]:
        """Open a transaction in which the lease is held."""
        return leases.held(self._database, lease=lease)

    def now(self) -> datetime:
        """Return the time."""
        return self._clock.now()


class _Batch:
    """One batch on its way: what is the same for all its steps."""

    def __init__(self, owner: Deliverer, runtime: Runtime, connector: Connector, lease: Lease) -> None:
        self.system = owner.system
        self._runtime = runtime
        self._connector = connector
        self._now: Callable[[], datetime] = owner.now
        self.transaction: Callable[[], AbstractContextManager[Tx]] = lambda: owner.open(lease)

    def deliver(self, claims: Sequence[Claim]) -> RunBooks:
        with self.transaction() as tx:
            items = load_items(tx, system=self.system, claims=claims, runtime=self._runtime, now=self._now())
            busy = {item.claim.profile_id for item in items}
            quiet = [claim for claim in claims if claim.profile_id not in busy]
            close_marks(tx, system=self.system, claims=quiet, items=[], endings={}, now=self._now())
        endings: dict[str, Ending] = {}
        if items:
            try:
                theirs = self._read_before(items)
                with self.transaction() as tx:
                    endings = self._plan_writes(tx, items, theirs)
                self._write(items, endings)
            except CallFailed as error:
                self._put_off(claims, [item for item in items if item.key not in endings], error)
                raise
        return self._note_books(len(claims), items, endings)

    def _note_books(self, claim_count: int, items: Sequence[Item], endings: Mapping[str, Ending]) -> RunBooks:
        held = {item.key for item in items if item.waits}
        written = sum(ending.written for ending in endings.values())
        parked = sum(ending.rank == 2 and key not in held for key, ending in endings.items())
        later = sum(ending.rank == 1 or (key in held and not ending.written) for key, ending in endings.items())
        read = max(claim_count, len(items))
        books = RunBooks(
            read_count=read,
            applied_count=written,
            filtered_count=later,
            parked_count=parked,
            unchanged_count=read - written - later - parked,
        )
        if written or parked:
            with self.transaction() as tx:
                store.note_run(tx, kind="deliver", system=self.system, books=books, now=self._now())
        return books

    def _read_before(self, items: Sequence[Item]) -> dict[tuple[str, str], ReadChange]:
        """Return what the system holds now, by stream and external id."""
        found: dict[tuple[str, str], ReadChange] = {}
        for stream, members in rules.by_stream(items).items():
            ids = [item.record.external_id for item in members if item.record and item.candidates and not item.is_held]
            if ids:
                fields = members[0].stream.vendor_fields
                for change in self._connector.fetch(stream, ids, fields=fields):
                    found[stream, change.external_id] = change
        return found

    def _plan_writes(
        self, tx: Tx, items: Sequence[Item], theirs: Mapping[tuple[str, str], ReadChange]
    ) -> dict[str, Ending]:
        """Take in what they hold; decide what to write; note it before it is written."""
        now = self._now()
        states = list(theirs.values())
        changes = to_changes(self.system, states)
        inbox.accept_changes(tx, changes=changes, now=now)
        unread = inbox.list_unread(tx, changes=changes, position=readers.peek_position(tx, name=READER))
        not_taken_in = {(states[index].stream, states[index].external_id) for index in unread}
        endings: dict[str, Ending] = {}
        compared: list[Item] = []
        for item in items:
            if item.record is None:
                item.writes = dict(item.desired)
            elif not item.candidates or item.is_held:
                endings[item.key] = rules.of_problems(item) if item.problems else DONE
            else:
                place = (item.stream.spec.stream, item.record.external_id)
                state = theirs.get(place)
                if state is None or state.kind.value != "upsert" or place in not_taken_in:
                    endings[item.key] = rules.wait_for_taking_in(now)
                elif outbox.is_ping_pong(item.base, now=now):
                    endings[item.key] = PING_PONG
                else:
                    compared.append(item)
                    self._compare(item, msgspec.json.decode(state.payload))
                    if not item.writes:
                        endings[item.key] = rules.of_problems(item) if item.problems else DONE
        self._note_intents(tx, [item for item in items if item.writes], now=now)
        agreed = [item for item in compared if item.agreed]
        outbox.store_bases(tx, system=self.system, bases=[rules.to_base(item, item.agreed) for item in agreed], now=now)
        self._settle_doubts(tx, [item for item in compared if not item.writes])
        if len(endings) == len(items):
            close_marks(tx, system=self.system, claims=[], items=items, endings=endings, now=now)
        return endings

    def _compare(self, item: Item, payload: dict[str, Any]) -> None:
        stored = mapping.canonical_of_stored(item.stream.compiled, fields=payload)
        item.theirs = payload = mapping.flatten(item.stream.compiled, payload=payload)
        item.held = {name: value for name, value in stored.items() if value is not ABSENT}
        is_same: dict[str, bool] = {}
        for field in item.stream.spec.person_fields:
            if field.direction.is_written:  # One field may hold several attributes: all of them must be the same.
                is_equal = stored.get(field.attribute, ABSENT) == item.canonical.get(field.attribute)
                is_same[field.field] = is_same.get(field.field, True) and is_equal
        unreadable = {
            field.field
            for field in item.stream.spec.person_fields
            if stored.get(field.attribute) is ABSENT and payload.get(field.field) not in (None, "")
        }
        plan = outbox.plan_fields(
            candidates=item.candidates, theirs=payload, is_same=is_same, base=item.base, unreadable=unreadable
        )
        item.agreed = plan.agreed
        item.waits = {field: tick for field, tick in item.waits.items() if field in plan.writes}
        item.writes = {field: value for field, value in plan.writes.items() if field not in item.waits}

    def _put_off(self, claims: Sequence[Claim], items: Sequence[Item], error: CallFailed) -> None:
        with self.transaction() as tx:
            if not error.is_maybe_applied:
                self._take_back_intents(tx, items, now=self._now())
            put_off_all(tx, system=self.system, claims=claims, error=error, now=self._now())

    def _settle_doubts(self, tx: Tx, items: Sequence[Item]) -> None:
        whole = [item.base for item in items if not item.waits]  # Of the others something may have to be put right.
        doubted = [base for base in whole if base is not None and base.is_doubted]
        if doubted:
            outbox.settle_bases(
                tx,
                record_ids=[base.record_id for base in doubted],
                settled_counts=[base.doubted_count for base in doubted],
            )

    def _note_intents(self, tx: Tx, items: Sequence[Item], *, now: datetime) -> None:
        values = {item.record.record_id: rules.golden_part(item, item.writes) for item in items if item.record}
        profile.note_written(tx, record_ids=list(values), values=list(values.values()), now=now)
        flights = {
            item.record.record_id: {
                name: {"sent": sent, "held": item.held.get(name)}
                for name, sent in values[item.record.record_id].items()
            }
            for item in items
            if item.record
        }
        outbox.note_flights(tx, values=flights)

    def _take_back_intents(self, tx: Tx, items: Sequence[Item], *, now: datetime) -> None:
        """A write did not arrive: its note goes; what we wrote before, which they still hold, counts again."""
        forgotten: dict[int, list[str]] = {}
        for item in items:
            if item.record is not None and item.writes:
                forgotten[item.record.record_id] = list(rules.golden_part(item, item.writes))
        profile.forget_written(tx, attributes=forgotten)
        outbox.end_flights(tx, record_ids=list(forgotten))
        for item in items:
            if item.record is not None and item.base is not None:
                before = {field: both["stored"] for field, both in item.base.fields.items() if field in item.writes}
                stored = mapping.canonical_of_stored(item.stream.compiled, fields=before)
                kept = {
                    name: stored[name]
                    for name in rules.golden_part(item, before)
                    if stored.get(name, ABSENT) is not ABSENT
                }
                profile.note_written(tx, record_ids=[item.record.record_id], values=[kept], now=now)

    def _write(self, items: Sequence[Item], endings: dict[str, Ending]) -> None:
        """Write what differs, read back, and note base and verdict. Items with an ending already are left alone."""
        open_items = [item for item in items if item.key not in endings]
        if not open_items:
            return
        verdicts = write_items(self._connector, open_items)
        held = self._read_back(open_items, verdicts)
        now = self._now()
        with self.transaction() as tx:
            inbox.accept_changes(tx, changes=to_changes(self.system, list(held.values())), now=now)
            settled: list[Item] = []
            bases: list[NewBase] = []
            for item in open_items:
                verdict, state = verdicts[item.key], held.get(item.key)
                ending = rules.judge(item, verdict, state, now=now)
                if ending.rank == 0:
                    record = item.record or self._adopt(tx, item, state, verdict, now=now)
                    if record is not None:
                        bases.append(self._settle(tx, item, record, state, now=now))
                    settled.append(item)
                endings[item.key] = rules.of_problems(item) if ending.rank == 0 and item.problems else ending
            self._note_in_the_way(tx, open_items, verdicts, now=now)
            refused = [item for item in open_items if verdicts[item.key].outcome in rules.NOT_APPLIED]
            self._take_back_intents(tx, refused, now=now)
            outbox.store_bases(tx, system=self.system, bases=bases, now=now)
            outbox.end_flights(tx, record_ids=[item.record.record_id for item in settled if item.record])
            self._settle_doubts(tx, settled)
            close_marks(tx, system=self.system, claims=[], items=items, endings=endings, now=now)
            systems.note_success(tx, system=self.system, is_write=True, now=now)

    def _read_back(self, items: Sequence[Item], verdicts: Mapping[str, Verdict]) -> dict[str, ReadChange]:
        """Return what the system made of the writes, by item key; a call that fails now costs only the reading."""
        held: dict[str, ReadChange] = {}
        for stream, members in rules.by_stream(items).items():
            by_id: dict[str, str] = {}
            for item in members:
                external_id = verdicts[item.key].external_id or (item.record.external_id if item.record else None)
                if external_id is not None and verdicts[item.key].outcome in rules.TO_READ_BACK:
                    by_id[external_id] = item.key
            if not by_id:
                continue
            try:
                found = self._connector.fetch(stream, list(by_id), fields=members[0].stream.vendor_fields)
            except CallFailed as error:
                log.warning("read_back_failed", system=self.system, cause=error.message)
                continue
            for change in found:
                if change.kind.value == "upsert" and change.external_id in by_id:
                    held[by_id[change.external_id]] = change
        return held

    def _note_in_the_way(
        self, tx: Tx, items: Sequence[Item], verdicts: Mapping[str, Verdict], *, now: datetime
    ) -> None:
        """Fetch the record that kept ours from being created: once it is known, it may turn out to be this person's."""
        found = [
            (item.stream.spec.stream, verdicts[item.key].external_id or "")
            for item in items
            if verdicts[item.key].outcome is Outcome.CONFLICT and verdicts[item.key].external_id
        ]
        if found:
            store.put_hints(tx, system=self.system, records=found, now=now)

    def _adopt(self, tx: Tx, item: Item, state: ReadChange | None, verdict: Verdict, *, now: datetime) -> Record | None:
        """Link a record that was created for a person to that person, before its echo can come in as a stranger."""
        external_id = verdict.external_id or (state.external_id if state else None)
        if external_id is None:
            return None
        key = RecordKey(self.system, item.stream.spec.stream, external_id)
        profile_id = item.claim.profile_id
        for record in identity.adopt_records(tx, records=[(key, profile_id)], match=self._runtime.match, now=now):
            adopted = AdoptedRecord(
                record_id=record.record_id,
                profile_id=record.profile_id,
                system=record.system,
                stream=record.stream,
                external_id=record.external_id,
            )
            profile.adopt_records(tx, records=[adopted])
            written = rules.golden_part(item, item.writes)
            profile.note_written(tx, record_ids=[record.record_id], values=[written], now=now)
            return record
        return None

    def _settle(self, tx: Tx, item: Item, record: Record, state: ReadChange | None, *, now: datetime) -> NewBase:
        """Return the new base of a written record, and let what the system made of our values count as ours."""
        fields = {field: {"sent": value, "stored": value} for field, value in item.writes.items()}
        is_contested = outbox.is_contested(item.writes, theirs=item.theirs, base=item.base)
        shown = None
        if state is not None:
            payload = mapping.flatten(item.stream.compiled, payload=msgspec.json.decode(state.payload))
            made, fields = rules.read_own(item, payload)
            item.theirs = item.theirs or payload
            shown = rules.fingerprint_after(item, fields)
            # By the system's own clock where it tells, since what it says later is told by that clock, too.
            profile.note_written(tx, record_ids=[record.record_id], values=[made], now=state.source_at or now)
        fields |= {field: {"sent": value, "stored": value} for field, value in item.left.items()}
        return NewBase(record_id=record.record_id, fields=fields, is_contested=is_contested, shown=shown)
