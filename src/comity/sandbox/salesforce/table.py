"""Rows of one object in memory, with the indexes a query can use."""

from collections.abc import Iterator
from typing import Any

from comity.sandbox.salesforce.catalogue import ObjectType
from comity.sandbox.salesforce.fields import Field

Row = dict[str, Any]

_ADDRESS_PARTS = ("Street", "City", "State", "PostalCode", "Country")


class Table:
    """All rows of one object, deleted ones too (they carry IsDeleted)."""

    def __init__(self, kind: ObjectType) -> None:
        """Start without rows."""
        self.kind = kind
        self.rows: dict[str, Row] = {}
        self.deleted_at: dict[str, str] = {}
        self._by_stamp: dict[str, None] = {}
        """Ids in the order of SystemModstamp."""
        self._late: dict[str, None] = {}
        """Ids whose stamp is older than one written before: they stand outside the order."""
        self._stamp_max = ""
        self._keys: dict[str, dict[str, dict[str, None]]] = {}
        self._indexed: list[Field] = []
        for field in kind.fields.values():
            self.index(field)

    def index(self, field: Field) -> None:
        """Index a field of the object, if it is one that records are looked up by."""
        if field.is_indexed:
            self._keys[field.name] = {}
            self._indexed.append(field)
            for row in self.rows.values():
                self._add_key(field, row)

    def get(self, record_id: str) -> Row | None:
        """Return a row, deleted or not, or None."""
        return self.rows.get(record_id)

    def put(self, row: Row) -> None:
        """Insert or replace a row; the caller never changes it afterwards."""
        record_id = row["Id"]
        old = self.rows.get(record_id)
        if old is not None:
            self._forget(record_id, old)
        self.rows[record_id] = row
        stamp = row["SystemModstamp"]
        if stamp >= self._stamp_max:
            self._stamp_max = stamp
            self._by_stamp[record_id] = None
        else:
            self._late[record_id] = None
        if not row["IsDeleted"]:
            for field in self._indexed:
                self._add_key(field, row)

    def drop(self, record_id: str) -> None:
        """Forget a row entirely."""
        row = self.rows.pop(record_id)
        self._forget(record_id, row)

    def find_ids(self, field: Field, value: Any) -> list[str] | None:
        """List the live rows with this value, or return None when the field has no index."""
        index = self._keys.get(field.name)
        return None if index is None else list(index.get(field.key(value), ()))

    def list_since(self, stamp: str) -> Iterator[Row]:
        """Yield the rows whose SystemModstamp may be this or later, latest first."""
        for record_id in reversed(self._by_stamp):
            row = self.rows[record_id]
            if row["SystemModstamp"] < stamp:
                break
            yield row
        yield from [self.rows[record_id] for record_id in self._late]

    def _add_key(self, field: Field, row: Row) -> None:
        value = row.get(field.name)
        if value is not None:
            self._keys[field.name].setdefault(field.key(value), {})[row["Id"]] = None

    def _forget(self, record_id: str, row: Row) -> None:
        self._by_stamp.pop(record_id, None)
        self._late.pop(record_id, None)
        for field in self._indexed:
            value = row.get(field.name)
            if value is not None:
                key = field.key(value)
                holders = self._keys[field.name].get(key)
                if holders:
                    holders.pop(record_id, None)
                    if not holders:
                        del self._keys[field.name][key]


def read_value(row: Row, field: Field) -> Any:
    """Return the value of a field as an answer shows it; an address is put together from its parts."""
    if field.type != "address":
        return row.get(field.name)
    prefix = field.name.removesuffix("Address")
    parts = {part[0].lower() + part[1:]: row.get(prefix + part) for part in _ADDRESS_PARTS}
    if all(value is None for value in parts.values()):
        return None
    return {**parts, "geocodeAccuracy": None, "latitude": None, "longitude": None}
