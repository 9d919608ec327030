"""An account: its records, what happens when one is written, and the events that follow."""

import bisect
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from comity.sandbox.clock import ShiftedClock
from comity.sandbox.hubspot.catalogue import ObjectType, build_catalogue
from comity.sandbox.hubspot.errors import ObjectFault, not_found
from comity.sandbox.hubspot.properties import format_stamp, normalise_all
from comity.sandbox.simulator import Tally
from comity.sandbox.wire import JsonObject

SEEDED_STAMP_DAYS = 30
MERGES_MAX = 250

Values = dict[str, str | None]
EventSink = Callable[[str, str, str, JsonObject], None]


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who writes: an application over the API, or a user in the browser."""

    origin: str
    change_source: str
    source_id: str


API = Actor(origin="api", change_source="INTEGRATION", source_id="54321")
USER = Actor(origin="user", change_source="CRM_UI", source_id="userId:93")


class Record(msgspec.Struct, kw_only=True):
    """One record."""

    record_id: str
    properties: dict[str, str]
    created_at: str
    updated_at: str
    archived_at: str | None = None
    associations: dict[str, list[JsonObject]] = msgspec.field(default_factory=dict[str, list[JsonObject]])
    merges: int = 0
    number: int = 0
    """The id as a number, by which records are ordered."""

    def __post_init__(self) -> None:
        self.number = int(self.record_id)


class Collection:
    """The records of one object type."""

    def __init__(self, kind: ObjectType) -> None:
        """Start without records."""
        self.kind = kind
        self.live: dict[str, Record] = {}
        self.archived: dict[str, Record] = {}
        self.numbers: list[int] = []
        """All ids, in order, for paging."""
        self.forwards: dict[str, str] = {}
        """Merged ids and the record they live on in."""
        self.erased: set[str] = set()
        self.keys: dict[str, dict[str, str]] = {}
        """Values of unique properties and the live record that holds them."""
        self.searchable: dict[str, Record] = {}
        """Records as search sees them, in the order it learned of them."""
        self.unsearched: deque[tuple[datetime, str, Record | None]] = deque()
        for name in (*(["email"] if kind.name == "contacts" else []), *kind.properties):
            if name == "email" or kind.properties[name].is_unique:
                self.keys.setdefault(name, {})

    def resolve(self, record_id: str, id_property: str | None = None) -> str:
        """Return the id of the live record meant, following merges. Raises ObjectFault."""
        if id_property and id_property != "hs_object_id":
            if id_property not in self.keys:
                message = f"Unable to perform update/upsert by non-unique {self.kind.type_id} property {id_property}"
                raise ObjectFault(400, "VALIDATION_ERROR", message)
            found = self.keys[id_property].get(fold(record_id))
            if found is None:
                raise not_found(record_id)
            return found
        seen = record_id
        while seen in self.forwards:
            seen = self.forwards[seen]
        if seen not in self.live:
            raise not_found(record_id)
        return seen


class Portal:
    """All state of one simulated account."""

    def __init__(
        self,
        *,
        clock: ShiftedClock,
        seed: int,
        tally: Tally,
        has_loyalty_fields: bool,
        search_lag_seconds: float,
    ) -> None:
        """Start without customers."""
        self.portal_id = 62_000_000 + seed
        self._clock = clock
        self._tally = tally
        self._number = 1000 + seed % 1000 * 1_000_000
        self._lag = timedelta(seconds=search_lag_seconds)
        self.collections = {
            name: Collection(kind) for name, kind in build_catalogue(has_loyalty_fields=has_loyalty_fields).items()
        }
        self.emit: EventSink = _ignore

    def collection(self, name: str) -> Collection | None:
        """Return the records of a type given as contacts, contact or 0-1, or None."""
        found = self.collections.get(name)
        if found is None:
            found = next((c for c in self.collections.values() if name in {c.kind.type_id, c.kind.singular}), None)
        return found

    def check_batch(self, collection: Collection, items: list[tuple[str | None, JsonObject]]) -> None:
        """Check writes (of a record, or of a new one: None) without doing them. Raises the first ObjectFault."""
        taken: dict[tuple[str, str], int] = {}
        for place, (own_id, given) in enumerate(items):
            values = self._check(collection, given, own_id=own_id)
            for name in collection.keys:
                value = values.get(name)
                if value is not None and taken.setdefault((name, fold(value)), place) != place:
                    message = f"Duplicate values for {name} found in batch input: [{value}]"
                    raise ObjectFault(409 if name == "email" else 400, "CONFLICT", message)

    def create(self, collection: Collection, given: Mapping[str, Any], *, actor: Actor) -> Record:
        """Create a record. Raises ObjectFault."""
        kind = collection.kind
        values = self._check(collection, given, own_id=None)
        now = format_stamp(self._clock.now())
        record = Record(record_id=self._next_id(collection), properties={}, created_at=now, updated_at=now)
        record.properties.update({name: value for name, value in values.items() if value is not None})
        self._stamp(kind, record)
        self._place(collection, record)
        self._tally.count_write(actor.origin, "created")
        self._emit(collection, "creation", record.record_id, actor, {"changeFlag": "CREATED"})
        self._emit_changes(collection, record, record.properties, actor)
        return record

    def update(self, collection: Collection, record_id: str, given: Mapping[str, Any], *, actor: Actor) -> Record:
        """Change a record; values that are the same already change neither stamp nor history. Raises ObjectFault."""
        kind = collection.kind
        old = collection.live[record_id]
        values = self._check(collection, given, own_id=record_id)
        changes: Values = {name: value for name, value in values.items() if old.properties.get(name) != value}
        if not changes:
            self._tally.count_write(actor.origin, "unchanged")
            return old
        properties = {name: value for name, value in {**old.properties, **changes}.items() if value is not None}
        now = format_stamp(self._clock.now())
        record = msgspec.structs.replace(old, properties=properties, updated_at=now)
        self._stamp(kind, record)
        self._place(collection, record, old=old)
        self._tally.count_write(actor.origin, "updated")
        self._emit_changes(collection, record, changes, actor)
        return record

    def archive(self, collection: Collection, record_id: str, *, actor: Actor) -> None:
        """Put a record into the recycle bin."""
        record = self._take_out(collection, record_id)
        record.archived_at = format_stamp(self._clock.now())
        collection.archived[record_id] = record
        self._tally.count_write(actor.origin, "deleted")
        self._emit(collection, "deletion", record_id, actor, {"changeFlag": "DELETED"})

    def restore(self, collection: Collection, record_id: str, *, actor: Actor) -> None:
        """Take a record out of the recycle bin. Raises ObjectFault."""
        record = collection.archived.get(record_id)
        if record is None or record_id in collection.forwards:
            raise not_found(record_id)
        self._check_unique(collection, record.properties, own_id=record_id)
        del collection.archived[record_id]
        now = format_stamp(self._clock.now())
        record = msgspec.structs.replace(record, archived_at=None, updated_at=now)
        self._stamp(collection.kind, record)
        self._place(collection, record)
        self._tally.count_write(actor.origin, "restored")
        self._emit(collection, "restore", record_id, actor, {"changeFlag": "RESTORED"})

    def erase(self, collection: Collection, record_id: str, *, actor: Actor) -> None:
        """Delete a record for good."""
        self._take_out(collection, record_id)
        collection.erased.add(record_id)
        collection.numbers.remove(int(record_id))
        self._tally.count_write(actor.origin, "deleted")
        self._emit(collection, "deletion", record_id, actor, {"changeFlag": "DELETED"})
        self._emit(collection, "privacyDeletion", record_id, actor, {"changeFlag": "DELETED"})

    def merge(self, collection: Collection, primary_id: str, loser_id: str, *, actor: Actor) -> Record:
        """Merge two records into a third, new one; both old ids lead to it from now on. Raises ObjectFault."""
        if primary_id == loser_id:
            raise ObjectFault(400, "VALIDATION_ERROR", "Cannot merge an object with itself")
        primary, loser = collection.live[primary_id], collection.live[loser_id]
        if primary.merges + loser.merges + 1 > MERGES_MAX:
            raise ObjectFault(400, "VALIDATION_ERROR", f"A record can take part in at most {MERGES_MAX} merges")
        moved = {name: value for name, value in loser.properties.items() if name not in primary.properties}
        now = format_stamp(self._clock.now())
        for old_id in (primary_id, loser_id):
            record = self._take_out(collection, old_id)
            record.archived_at = now
            collection.archived[old_id] = record
        merged_ids = [*_merged_ids(primary), *_merged_ids(loser), primary_id, loser_id]
        merged = Record(
            record_id=self._next_id(collection),
            properties={**moved, **primary.properties, "hs_merged_object_ids": ";".join(merged_ids)},
            created_at=min(primary.created_at, loser.created_at),
            updated_at=now,
            merges=primary.merges + loser.merges + 1,
        )
        extra = dict.fromkeys([*_emails(primary), *_emails(loser)])
        extra.pop(merged.properties.get("email", ""), None)
        if extra:
            merged.properties["hs_additional_emails"] = ";".join(extra)
        for old_id in (primary_id, loser_id):
            collection.forwards[old_id] = merged.record_id
        self._stamp(collection.kind, merged)
        self._place(collection, merged)
        self._tally.count_write(actor.origin, "merged")
        detail: JsonObject = {
            "changeFlag": "MERGED",
            "primaryObjectId": int(primary_id),
            "mergedObjectIds": [int(loser_id)],
            "newObjectId": int(merged.record_id),
            "numberOfPropertiesMoved": len(moved),
        }
        self._emit(collection, "merge", merged.record_id, actor, detail)
        return merged

    def load(self, collection: Collection, rows: Iterable[Mapping[str, str]], *, has_one_stamp: bool) -> int:
        """Load old records unchecked (an e-mail address that is taken stays without its index)."""
        properties = collection.kind.properties
        staged: list[dict[str, str]] = []
        for row in rows:
            unknown = sorted(set(row) - set(properties) - {"id"})
            if unknown:
                raise ValueError(f"{collection.kind.name} has no property {unknown[0]}.")
            staged.append({name: text for name, text in row.items() if text})
        begin = self._clock.now() - timedelta(days=SEEDED_STAMP_DAYS)
        step = timedelta() if has_one_stamp else timedelta(days=SEEDED_STAMP_DAYS) / max(len(staged), 1)
        for number, values in enumerate(staged):
            stamp = format_stamp(begin + number * step)
            given_id = values.pop("id", "") or values.pop("hs_object_id", "")
            record_id = self._next_id(collection, given_id)
            record = Record(record_id=record_id, properties=values, created_at=stamp, updated_at=stamp)
            self._stamp(collection.kind, record)
            self._place(collection, record, is_indexed_now=True)
        return len(staged)

    def refresh_search(self, collection: Collection) -> dict[str, Record]:
        """Return the records as search sees them by now."""
        now = self._clock.now()
        waiting = collection.unsearched
        while waiting and waiting[0][0] <= now:
            _, record_id, record = waiting.popleft()
            collection.searchable.pop(record_id, None)
            if record is not None:
                collection.searchable[record_id] = record
        return collection.searchable

    def _check(self, collection: Collection, given: Mapping[str, Any], *, own_id: str | None) -> Values:
        kind = collection.kind
        values = normalise_all(kind.properties, dict(given), self.portal_id)
        missing = [name for name in kind.required if own_id is None and not values.get(name)]
        if missing:
            message = f"Error creating {kind.singular.upper()}. Some required properties were not set."
            raise ObjectFault(400, "VALIDATION_ERROR", message, context={"properties": missing})
        self._check_unique(collection, values, own_id=own_id)
        return values

    def _next_id(self, collection: Collection, given_id: str = "") -> str:
        if given_id and given_id.isdecimal():
            number = int(given_id)
            self._number = max(self._number, number)
        else:
            self._number += 1
            number = self._number
        bisect.insort(collection.numbers, number)
        return str(number)

    def _stamp(self, kind: ObjectType, record: Record) -> None:
        record.properties["hs_object_id"] = record.record_id
        record.properties[kind.modified] = record.updated_at
        name = "createdate" if "createdate" in kind.properties else "hs_createdate"
        record.properties[name] = record.created_at

    def _place(
        self, collection: Collection, record: Record, *, old: Record | None = None, is_indexed_now: bool = False
    ) -> None:
        for name, index in collection.keys.items():
            after = _key_values(record, name)
            for value in _key_values(old, name) if old else []:
                if value not in after and index.get(fold(value)) == record.record_id:
                    del index[fold(value)]
            for value in after:
                index.setdefault(fold(value), record.record_id)
        collection.live[record.record_id] = record
        self._index(collection, record.record_id, record, is_now=is_indexed_now)

    def _take_out(self, collection: Collection, record_id: str) -> Record:
        record = collection.live.pop(record_id)
        for name, index in collection.keys.items():
            for value in _key_values(record, name):
                if index.get(fold(value)) == record_id:
                    del index[fold(value)]
        self._index(collection, record_id, None, is_now=False)
        return msgspec.structs.replace(record)

    def _index(self, collection: Collection, record_id: str, record: Record | None, *, is_now: bool) -> None:
        if self._lag and not is_now:
            collection.unsearched.append((self._clock.now() + self._lag, record_id, record))
            return
        collection.searchable.pop(record_id, None)
        if record is not None:
            collection.searchable[record_id] = record

    def _check_unique(self, collection: Collection, values: Mapping[str, str | None], *, own_id: str | None) -> None:
        for name, index in collection.keys.items():
            value = values.get(name)
            holder = index.get(fold(value)) if value is not None else None
            if holder is None or holder == own_id:
                continue
            if name == "email":
                raise ObjectFault(409, "CONFLICT", f"Contact already exists. Existing ID: {holder}")
            message = (
                f"Cannot set PropertyValueCoordinates{{portalId={self.portal_id},"
                f" objectTypeId=ObjectTypeId{{legacyObjectType={collection.kind.singular.upper()}}},"
                f" propertyName={name}, value={value}}} on {own_id or 'new object'}. {holder} already has that value."
            )
            error = {"message": message, "code": "CONFLICTING_UNIQUE_VALUE", "context": {"propertyName": [name]}}
            raise ObjectFault(400, "VALIDATION_ERROR", message, errors=[error])

    def _emit_changes(self, collection: Collection, record: Record, changes: Mapping[str, Any], actor: Actor) -> None:
        for name, value in changes.items():
            definition = collection.kind.properties.get(name)
            if definition and not definition.is_read_only:
                detail = {"propertyName": name, "propertyValue": value or ""}
                self._emit(collection, "propertyChange", record.record_id, actor, detail)

    def _emit(self, collection: Collection, kind: str, record_id: str, actor: Actor, detail: JsonObject) -> None:
        event = {**detail, "changeSource": actor.change_source, "sourceId": actor.source_id}
        self.emit(collection.kind.name, kind, record_id, event)


def _ignore(_type_name: str, _kind: str, _record_id: str, _detail: JsonObject) -> None:
    """Drop an event: nobody listens yet."""


def fold(value: str) -> str:
    """Return the form in which two values of a unique property are the same."""
    return value.strip().casefold()


def _emails(record: Record) -> list[str]:
    """List the addresses of a contact: its own, then those it got by merges."""
    own, extra = record.properties.get("email"), record.properties.get("hs_additional_emails", "")
    return [value for value in (own, *extra.split(";")) if value]


def _key_values(record: Record, name: str) -> list[str]:
    if name == "email":
        return _emails(record)
    value = record.properties.get(name)
    return [] if value is None else [value]


def _merged_ids(record: Record) -> list[str]:
    return [part for part in record.properties.get("hs_merged_object_ids", "").split(";") if part]
