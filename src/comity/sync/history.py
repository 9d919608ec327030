"""The history of a person's golden values, by field: told again from what is kept, nothing of it is stored.

What records said (inbox) is read by the mappings and decided by the rules that were in force then (definitions), for
whom the records belonged to then (notes of identity). It runs in a place of its own and leaves no trace.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from comity.definitions import api as definitions
from comity.definitions.types import Apply, Kind
from comity.identity import api as identity
from comity.identity.types import Record
from comity.inbox import api as inbox
from comity.inbox.types import Change, ChangeBatch, ChangeKind
from comity.kernel import readers
from comity.kernel.database import Tx
from comity.mapping.types import ABSENT
from comity.profile import api as profile
from comity.profile.api import Replay
from comity.profile.types import Explanation, ObservationBatch
from comity.sync.prepare import Prepared, prepare
from comity.sync.runtime import Runtime, compile_runtime
from comity.sync.stays import Stay, list_stays
from comity.sync.types import Cause, PersonHistory, ValueChange, ValueSource
from comity.sync.unify import READER

CHANGES_MAX = 1_000
NOTES_MAX = 1_000
APPLIES_MAX = 1_000

DECIDING = (Kind.SYSTEM, Kind.ATTRIBUTE, Kind.MAPPING, Kind.RULES)
"""Kinds of documents that have a say in golden values."""


class _Load(msgspec.Struct, frozen=True, kw_only=True):
    """A record was here before anything of it came through the inbox; `then` is what came first."""

    record: Record
    then: Change | None


class _Event(msgspec.Struct, frozen=True, kw_only=True):
    at: datetime
    what: Apply | _Load | Stay | Change


def list_history(tx: Tx, *, profile_id: UUID, attribute: str | None = None) -> PersonHistory:
    """Return how the golden values of a living profile, or one of them, came to be what they are, oldest first.

    Costs some milliseconds for each change of the person's records. Of more than 1,000 changes the oldest are left out.
    """
    notes = identity.list_merges(tx, profile_id=profile_id, limit=NOTES_MAX)
    parted = [note.profile_id for note in notes if not note.is_merge and note.other_profile_id == profile_id]
    records = identity.list_records(tx, profile_ids=[profile_id, *parted])
    stays = [stay for record in records for stay in list_stays(record, notes)]
    members = {stay.record_id for stay in stays if stay.profile_id == profile_id}
    records = [record for record in records if record.record_id in members]
    changes = inbox.list_passed(
        tx,
        records=[(record.system, record.stream, record.external_id) for record in records],
        position=readers.peek_position(tx, name=READER),
        count_max=CHANGES_MAX + 1,
    )
    is_cut = len(changes) > CHANGES_MAX
    changes = changes[-CHANGES_MAX:]
    applies = [each for each in reversed(definitions.list_applies(tx, count_max=APPLIES_MAX)) if _decides(each)]
    told: list[ValueChange] = []
    ends: dict[str, Any] = {}
    if applies:
        first = _runtime_of(tx, applies[0])
        with profile.open_replay(tx, model=first.model) as replay:
            teller = _Teller(tx, replay, first, records=records, profile_id=profile_id, attribute=attribute)
            for event in _in_order(applies, records, [each for each in stays if each.record_id in members], changes):
                teller.tell(event)
            told, ends = teller.told, teller.golden.get(profile_id, {})
    rows = profile.get_profiles(tx, profile_ids=[profile_id])
    stored = rows[0] if rows else {}
    wanted = [attribute] if attribute else sorted(ends)
    return PersonHistory(
        global_id=profile_id,
        changes=tuple(told),
        is_cut=is_cut,
        differing=tuple(name for name in wanted if ends.get(name) != stored.get(name)),
    )


def _decides(apply: Apply) -> bool:
    kinds = {label.partition("/")[0] for labels in apply.summary.values() for label in labels}
    return not kinds.isdisjoint(DECIDING)


def _runtime_of(tx: Tx, apply: Apply) -> Runtime:
    return compile_runtime(definitions.get_definitions_of(tx, revision=apply.revision))


def _in_order(
    applies: Sequence[Apply], records: Sequence[Record], stays: Sequence[Stay], changes: Sequence[Change]
) -> list[_Event]:
    """Put all that happened in order: changes as unify took them, none before there were definitions to read it by."""
    arrived: list[_Event] = []
    for change in changes:
        at = max(change.received_at, arrived[-1].at if arrived else applies[0].applied_at)
        arrived.append(_Event(at=at, what=change))
    firsts: dict[tuple[str, str, str], Change] = {}
    for change in changes:
        firsts.setdefault((change.system, change.stream, change.external_id), change)
    loads: list[_Event] = []
    for record in records:
        then = firsts.get((record.system, record.stream, record.external_id))
        if then is None or record.linked_at < then.received_at:
            loads.append(_Event(at=record.linked_at, what=_Load(record=record, then=then)))
    moves = [_Event(at=each.since, what=each) for each in stays if each.since is not None]
    applied = [_Event(at=each.applied_at, what=each) for each in applies]
    begun = [_Event(at=applies[0].applied_at, what=each) for each in stays if each.since is None]
    return sorted([*applied[:1], *begun, *applied[1:], *loads, *moves, *arrived], key=lambda event: event.at)


class _Teller:
    """Lets events happen again and notes what each did to the golden values of one person."""

    def __init__(
        self,
        tx: Tx,
        replay: Replay,
        runtime: Runtime,
        *,
        records: Sequence[Record],
        profile_id: UUID,
        attribute: str | None,
    ) -> None:
        self.told: list[ValueChange] = []
        self.golden: dict[UUID, dict[str, Any]] = {}
        self._tx = tx
        self._replay = replay
        self._runtime = runtime
        self._records = {(each.system, each.stream, each.external_id): each for each in records}
        self._profile_id = profile_id
        self._attribute = attribute
        self._owners: dict[int, UUID] = {}
        self._shown: dict[int, dict[str, Any]] = {}
        self._former: dict[int, dict[str, list[Any]]] = {}
        """By record and attribute, the values that were golden since the record's last version."""

    def tell(self, event: _Event) -> None:
        """Let an event happen."""
        what = event.what
        match what:
            case Apply():
                self._runtime = _runtime_of(self._tx, what)
                self._replay.follow(self._runtime.model)
                owners = set(self._owners.values())
                self._decide(owners, event, Cause.DEFINITIONS, actor=what.author)
            case Stay():
                owners = {what.profile_id, self._owners.get(what.record_id, what.profile_id)}
                self._owners[what.record_id] = what.profile_id
                self._replay.move(record_id=what.record_id, profile_id=what.profile_id)
                if what.note is not None:
                    cause = Cause.MERGE if what.note.is_merge else Cause.UNMERGE
                    actor = what.note.actor or what.note.source
                    self._decide(owners, event, cause, actor=actor, reason=what.note.reason)
            case _Load():
                record_id = what.record.record_id
                owner = self._owners[record_id]
                times = self._prepare(what.then).changed_ats if what.then else []
                self._replay.load(record_id=record_id, profile_id=owner, until=times[0] if times else None)
                self._shown[record_id] = {}
                self._decide({owner}, event, Cause.LOAD)
            case Change():
                record_id = self._records[what.system, what.stream, what.external_id].record_id
                owner = self._owners[record_id]
                if what.kind in {ChangeKind.DELETE, ChangeKind.MERGE}:
                    self._replay.drop(record_id=record_id)
                    self._shown.pop(record_id, None)
                    self._decide({owner}, event, Cause.DELETION, change=what)
                elif self._say(what, record_id, owner):
                    self._decide({owner}, event, Cause.CHANGE, change=what)

    def _prepare(self, change: Change) -> Prepared:
        position = readers.Position(xid=change.xid, id=change.change_id)
        return prepare(ChangeBatch(changes=[change], start=position, end=position), self._runtime)

    def _say(self, change: Change, record_id: int, owner: UUID) -> bool:
        prepared = self._prepare(change)
        if not prepared.facts:
            return False
        says = {name: column[0] for name, column in prepared.columns.items() if column[0] is not ABSENT}
        self._note_echoes(change, prepared, says, record_id=record_id, owner=owner)
        self._shown.setdefault(record_id, {}).update(says)
        self._former[record_id] = {}
        return self._replay.say(
            ObservationBatch(
                record_ids=[record_id],
                profile_ids=[owner],
                systems=[change.system],
                streams=[change.stream],
                external_ids=[change.external_id],
                columns=prepared.columns,
                changed_ats=prepared.changed_ats,
            )
        )

    def _note_echoes(
        self, change: Change, prepared: Prepared, says: dict[str, Any], *, record_id: int, owner: UUID
    ) -> None:
        """Take what a record shows anew, and was golden before, for what Comity wrote there.

        What it wrote is noted while it counts and not kept; a record that shows a value first is believed, unless it
        carries a Global ID, because then Comity has created it.
        """
        if record_id not in self._shown and not prepared.carried:
            return
        shown, golden = self._shown.get(record_id, {}), self.golden.get(owner, {})
        former = self._former.get(record_id, {})
        stream = self._runtime.streams[change.system, change.stream]
        written = {
            name: says[name]
            for name in stream.echoed_attributes
            if name in says
            and says[name] != shown.get(name)
            and says[name] in (golden.get(name), *former.get(name, ()))
        }
        if not written:
            return
        if record_id not in self._shown:
            self._replay.adopt(record_id=record_id, profile_id=owner)
        self._replay.note_written(record_id=record_id, values=written, at=prepared.changed_ats[0])

    def _decide(
        self,
        owners: set[UUID],
        event: _Event,
        cause: Cause,
        *,
        change: Change | None = None,
        actor: str = "",
        reason: str = "",
    ) -> None:
        for owner in owners:
            before, after = self.golden.get(owner, {}), self._replay.decide(profile_id=owner)
            self.golden[owner] = after
            differing = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
            self._note_former(owner, change, {name: before.get(name) for name in differing})
            wanted = differing if self._attribute is None else [each for each in differing if each == self._attribute]
            for name in wanted if owner == self._profile_id else ():
                found = self._replay.explain(profile_id=owner, attribute=name) if name in after else None
                self.told.append(
                    ValueChange(
                        attribute=name,
                        value=after.get(name),
                        before=before.get(name),
                        happened_at=event.at,
                        cause=cause,
                        change_id=None if change is None else change.change_id,
                        sources=_sources(found),
                        rule=found.rule_text if found else "",
                        rules_version=self._runtime.model.rules_version,
                        revision=self._runtime.revision,
                        actor=actor,
                        reason=reason,
                    )
                )

    def _note_former(self, owner: UUID, change: Change | None, replaced: dict[str, Any]) -> None:
        """Note what Comity may have written, and its echo may still be on its way; not into who made it former."""
        for key, record in self._records.items():
            is_cause = change is not None and key == (change.system, change.stream, change.external_id)
            if self._owners.get(record.record_id) == owner and not is_cause:
                former = self._former.setdefault(record.record_id, {})
                for name, value in replaced.items():
                    former.setdefault(name, []).append(value)


def _sources(found: Explanation | None) -> tuple[ValueSource, ...]:
    return tuple(
        ValueSource(
            system=each.system,
            stream=each.stream,
            external_id=each.external_id,
            changed_at=each.changed_at,
            value=each.value,
        )
        for each in (found.contributors if found else ())
    )
