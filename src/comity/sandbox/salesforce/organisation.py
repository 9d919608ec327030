"""An organisation: its objects, records, and what happens when a record is written."""

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import msgspec

from comity.sandbox.clock import ShiftedClock
from comity.sandbox.salesforce.catalogue import ObjectType, build_catalogue
from comity.sandbox.salesforce.errors import RowFault
from comity.sandbox.salesforce.fields import NUMBER_TYPES, Field, coerce, format_stamp
from comity.sandbox.salesforce.identifiers import build_id, normalise_id
from comity.sandbox.salesforce.table import Row, Table
from comity.sandbox.simulator import Tally
from comity.sandbox.wire import JsonObject, as_object

SEEDED_STAMP_DAYS = 30
_DEFAULTS: dict[str, Row] = {
    "Task": {"Status": "Not Started", "Priority": "Normal", "IsClosed": False},
    "Lead": {"Status": "Open - Not Contacted"},
}


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who writes: an application over the API, or a user in the browser."""

    origin: str
    user_id: str


class Organisation:
    """All state of one simulated organisation."""

    def __init__(self, *, clock: ShiftedClock, seed: int, tally: Tally, has_loyalty_fields: bool) -> None:
        """Start with two users and no customers."""
        self.clock = clock
        self.tally = tally
        self.organisation_id = build_id("00D", f"{seed % 90 + 10}", 1)
        self._pod = f"{seed % 90 + 10}"
        self._number = 0
        self.tables = {
            name: Table(kind) for name, kind in build_catalogue(has_loyalty_fields=has_loyalty_fields).items()
        }
        self.journal: list[tuple[Table, str, Row | None, Actor, str]] | None = None
        """Inside an all-or-none call: what to put back, newest last."""
        integration, browser = self.next_id("005"), self.next_id("005")
        self.api = Actor(origin="api", user_id=integration)
        self.user = Actor(origin="user", user_id=browser)
        for user_id, name in ((integration, "Integration"), (browser, "Administrator")):
            self.table("User").put(
                self._stamped(
                    {
                        "Id": user_id, "IsDeleted": False, "LastName": name, "Name": name, "IsActive": True,
                        "Username": f"{name.lower()}@sandbox.example", "Email": f"{name.lower()}@sandbox.example",
                    },
                    actor=self.api,
                    is_new=True,
                )
            )  # fmt: skip

    def table(self, name: str) -> Table:
        """Return the table of an object. Raises RowFault NOT_FOUND for an unknown one."""
        found = self.tables.get(name.lower())
        if found is None:
            raise RowFault("NOT_FOUND", "The requested resource does not exist", status=404)
        return found

    def next_id(self, prefix: str) -> str:
        """Draw the next record id."""
        self._number += 1
        return build_id(prefix, self._pod, self._number)

    def insert(self, table: Table, fields: Mapping[str, Any], *, actor: Actor) -> str:
        """Create a record and return its id. Raises RowFault."""
        values = self._check(table, fields, is_new=True)
        row: Row = {"Id": "", "IsDeleted": False, **self._defaults(table.kind, actor)}
        row.update({name: value for name, value in values.items() if value is not None})
        missing = [field.name for field in table.kind.fields.values() if field.is_required and field.name not in row]
        if missing:
            message = f"Required fields are missing: [{', '.join(missing)}]"
            raise RowFault("REQUIRED_FIELD_MISSING", message, fields=missing)
        self._check_unique(table, values, own_id=None)
        row["Id"] = self.next_id(table.kind.prefix)
        self._write(table, row, old=None, actor=actor, verb="created")
        return row["Id"]

    def update(
        self, table: Table, record_id: str, fields: Mapping[str, Any], *, actor: Actor, late_seconds: float = 0.0
    ) -> None:
        """Change a record; it is stamped even when nothing differs, as the vendor does. Raises RowFault."""
        old = self.live(table, record_id)
        values = self._check(table, fields, is_new=False)
        emptied = [
            name for name, value in values.items() if value is None and table.kind.fields[name.lower()].is_required
        ]
        if emptied:
            message = f"Required fields are missing: [{', '.join(emptied)}]"
            raise RowFault("REQUIRED_FIELD_MISSING", message, fields=emptied)
        self._check_unique(table, values, own_id=old["Id"])
        row = {name: value for name, value in {**old, **values}.items() if value is not None}
        verb = "unchanged" if all(old.get(name) == value for name, value in values.items()) else "updated"
        self._write(table, row, old=old, actor=actor, verb=verb, late_seconds=late_seconds)

    def delete(self, table: Table, record_id: str, *, actor: Actor, master_id: str | None = None) -> None:
        """Put a record into the recycle bin. Raises RowFault."""
        old = self.live(table, record_id)
        row: Row = {**old, "IsDeleted": True}
        if master_id:
            row["MasterRecordId"] = master_id
        self._write(table, row, old=old, actor=actor, verb="merged" if master_id else "deleted")
        table.deleted_at[row["Id"]] = row["SystemModstamp"]

    def restore(self, table: Table, record_id: str, *, actor: Actor) -> None:
        """Take a record out of the recycle bin. Raises RowFault."""
        old = table.get(normalise_id(record_id) or "")
        if old is None or not old["IsDeleted"]:
            raise RowFault("UNDELETE_FAILED", "Entity is not in the recycle bin")
        self._check_unique(table, old, own_id=old["Id"])
        row = {name: value for name, value in old.items() if name != "MasterRecordId"}
        row["IsDeleted"] = False
        self._write(table, row, old=old, actor=actor, verb="restored")
        table.deleted_at.pop(row["Id"], None)

    def live(self, table: Table, record_id: str) -> Row:
        """Return a live row. Raises RowFault for a missing, deleted or malformed id."""
        normal = normalise_id(record_id)
        if normal is None:
            raise RowFault(
                "MALFORMED_ID", f"{table.kind.label} ID: id value of incorrect type: {record_id}", fields=["Id"]
            )
        row = table.get(normal)
        if row is None:
            raise RowFault("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", status=404)
        if row["IsDeleted"]:
            raise RowFault("ENTITY_IS_DELETED", "entity is deleted", status=404)
        return row

    @contextmanager
    def all_or_none(self, *, is_wanted: bool) -> Generator[list[str]]:
        """Take back what was written inside when a failure is noted in the list, or raised. May be nested."""
        failures: list[str] = []
        if not is_wanted:
            yield failures
            return
        outer = self.journal
        self.journal = []
        try:
            yield failures
        except BaseException:
            failures.append("raised")
            raise
        finally:
            done, self.journal = self.journal, outer
            if failures:
                self._roll_back(done)
            elif outer is not None:
                outer.extend(done)

    def _roll_back(self, journal: "list[tuple[Table, str, Row | None, Actor, str]]") -> None:
        for table, record_id, old, actor, verb in reversed(journal):
            if old is None:
                table.drop(record_id)
            else:
                table.put(old)
                if old["IsDeleted"]:
                    table.deleted_at[record_id] = old["SystemModstamp"]
                else:
                    table.deleted_at.pop(record_id, None)
            self.tally.writes[actor.origin][verb] -= 1

    def load(self, table: Table, rows: Iterable[Mapping[str, str]], *, has_one_stamp: bool) -> int:
        """Load old records: no checks but the form of numbers and flags, stamps spread over the past month."""
        fields = table.kind.fields
        begin = self.clock.now() - timedelta(days=SEEDED_STAMP_DAYS)
        staged: list[Row] = []
        for source in rows:
            row: Row = {"Id": "", "IsDeleted": False, **self._defaults(table.kind, self.user)}
            for name, text in source.items():
                field = fields.get(name.lower())
                if field is None:
                    raise ValueError(f"{table.kind.name} has no field {name}.")
                if text:
                    row[field.name] = _old_value(field, text)
            row["Id"] = row["Id"] or self.next_id(table.kind.prefix)
            staged.append(row)
        step = timedelta() if has_one_stamp else timedelta(days=SEEDED_STAMP_DAYS) / max(len(staged), 1)
        for number, row in enumerate(staged):
            table.put(self._stamped(row, actor=self.user, is_new=True, now=begin + number * step))
        return len(staged)

    def _write(
        self, table: Table, row: Row, *, old: Row | None, actor: Actor, verb: str, late_seconds: float = 0.0
    ) -> None:
        if self.journal is not None:
            self.journal.append((table, row["Id"], old, actor, verb))
        now = self.clock.now() - timedelta(seconds=late_seconds)
        table.put(self._stamped(row, actor=actor, is_new=old is None, now=now))
        self.tally.count_write(actor.origin, verb)

    def _stamped(self, row: Row, *, actor: Actor, is_new: bool, now: datetime | None = None) -> Row:
        stamp = format_stamp(now or self.clock.now())
        if is_new:
            row.setdefault("CreatedDate", stamp)
            row["CreatedById"] = actor.user_id
        row["LastModifiedDate"] = row["SystemModstamp"] = stamp
        row["LastModifiedById"] = actor.user_id
        if "LastName" in row:
            row["Name"] = f"{row['FirstName']} {row['LastName']}" if "FirstName" in row else row["LastName"]
        elif row["Id"][:3] == "00T":
            row["IsClosed"] = row.get("Status") == "Completed"
        row.setdefault("Name", row["Id"])
        return row

    def _defaults(self, kind: ObjectType, actor: Actor) -> Row:
        row: Row = {field.name: False for field in kind.fields.values() if field.type == "boolean" and field.defaulted}
        if "ownerid" in kind.fields:
            row["OwnerId"] = actor.user_id
        return {**row, **_DEFAULTS.get(kind.name, {})}

    def _check(self, table: Table, fields: Mapping[str, Any], *, is_new: bool) -> Row:
        kind = table.kind
        values: Row = {}
        for name, value in fields.items():
            if name == "attributes":
                continue
            field = kind.find(name)
            if field is None:
                field, value = self._resolve_relation(kind, name, value)  # noqa: PLW2901 - the lookup replaces the relation.
            if not (field.createable if is_new else field.updateable):
                message = (
                    f"Unable to create/update fields: {field.name}. Please check the security settings of this field"
                    " and verify that it is read/write for your profile or permission set."
                )
                raise RowFault("INVALID_FIELD_FOR_INSERT_UPDATE", message, fields=[field.name])
            values[field.name] = stored = coerce(field, value)
            if field.type == "reference" and stored is not None:
                self._check_reference(field, stored)
        return values

    def _check_reference(self, field: Field, record_id: str) -> None:
        known = [table for name in field.reference_to if (table := self.tables.get(name.lower()))]
        target = next((table for table in known if table.kind.prefix == record_id[:3]), None)
        if target is None:
            message = f"{field.label}: id value of incorrect type: {record_id}"
            raise RowFault("FIELD_INTEGRITY_EXCEPTION", message, fields=[field.name])
        row = target.get(record_id)
        if row is None or row["IsDeleted"]:
            code = "ENTITY_IS_DELETED" if row else "INVALID_CROSS_REFERENCE_KEY"
            raise RowFault(code, "entity is deleted" if row else "invalid cross reference id")

    def _resolve_relation(self, kind: ObjectType, name: str, value: Any) -> tuple[Field, Any]:
        """Resolve `"Contact__r": {"Global_Id__c": "G1"}` to the lookup and the id it means."""
        lookup = kind.find(name.removesuffix("__r") + "__c" if name.endswith("__r") else name + "Id")
        given = as_object(value)
        if lookup is None or lookup.type != "reference" or given is None:
            message = f"No such column '{name}' on sobject of type {kind.name}"
            raise RowFault("INVALID_FIELD", message)
        keys = [key for key in given if key != "attributes"]
        target = self.tables[lookup.reference_to[0].lower()]
        field = target.kind.find(keys[0]) if len(keys) == 1 else None
        ids = target.find_ids(field, given[keys[0]]) if field and field.external_id else None
        if not field or ids is None:
            raise RowFault("INVALID_FIELD", f"{name} needs exactly one external id field of {target.kind.name}")
        if len(ids) != 1:
            value = given[keys[0]]
            message = f"Foreign key external ID: {value} not found for field {field.name} in entity {target.kind.name}"
            raise RowFault("INVALID_FIELD", message)
        return lookup, ids[0]

    def _check_unique(self, table: Table, values: Mapping[str, Any], *, own_id: str | None) -> None:
        for name, value in values.items():
            field = table.kind.find(name)
            if field is None or not field.unique or value is None:
                continue
            others = [found for found in table.find_ids(field, value) or [] if found != own_id]
            if others:
                message = f"duplicate value found: {field.name} duplicates value on record with id: {others[0]}"
                raise RowFault("DUPLICATE_VALUE", message)


def report_tables(tables: Iterable[Table]) -> JsonObject:
    """Count live and deleted rows of each object."""
    return {
        table.kind.name: {
            "live": sum(not row["IsDeleted"] for row in table.rows.values()),
            "deleted": sum(row["IsDeleted"] for row in table.rows.values()),
        }
        for table in tables
    }


def _old_value(field: Field, text: str) -> Any:
    if field.type == "boolean":
        return text.lower() in {"true", "1", "yes"}
    if field.type in NUMBER_TYPES:
        return float(text)
    if field.type == "id":
        return normalise_id(text) or text
    return text
