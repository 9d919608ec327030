"""Upsert: create or change the record that holds a key."""

from typing import Any

import msgspec

from comity.sandbox.salesforce.errors import RowFault
from comity.sandbox.salesforce.fields import Field
from comity.sandbox.salesforce.organisation import Organisation
from comity.sandbox.salesforce.table import Table
from comity.sandbox.wire import JsonObject


class Upserted(msgspec.Struct, frozen=True, kw_only=True):
    """What an upsert did."""

    record_id: str
    is_created: bool


class AmbiguousKey(Exception):
    """Several records hold the key."""

    def __init__(self, record_ids: list[str]) -> None:
        """Name the records."""
        super().__init__(record_ids)
        self.record_ids = record_ids


def require_key(table: Table, name: str) -> Field:
    """Return the external id field of this name. Raises RowFault NOT_FOUND."""
    field = table.kind.find(name)
    if field is None or not (field.external_id or field.id_lookup or field.type == "id"):
        message = "Provided external ID field does not exist or is not accessible: " + name
        raise RowFault("NOT_FOUND", message, status=404)
    return field


def find_ids(table: Table, field: Field, value: Any) -> list[str]:
    """List the live records that hold the key."""
    return table.find_ids(field, value) or []


def upsert(
    organisation: Organisation,
    table: Table,
    field: Field,
    value: Any,
    fields: JsonObject,
    *,
    is_update_only: bool = False,
) -> Upserted:
    """Create or change the record whose `field` is `value`. Raises RowFault and AmbiguousKey."""
    if field.type == "id":
        organisation.update(table, str(value), fields, actor=organisation.api)
        return Upserted(record_id=organisation.live(table, str(value))["Id"], is_created=False)
    if any(name.lower() in {field.name.lower(), "id"} for name in fields):
        message = f"The {field.name} field should not be specified in the sobject data."
        raise RowFault("INVALID_FIELD", message)
    ids = find_ids(table, field, value)
    if len(ids) > 1:
        raise AmbiguousKey(ids)
    if ids:
        organisation.update(table, ids[0], fields, actor=organisation.api)
        return Upserted(record_id=ids[0], is_created=False)
    if is_update_only:
        raise RowFault("NOT_FOUND", "The requested resource does not exist", status=404)
    record_id = organisation.insert(table, {**fields, field.name: value}, actor=organisation.api)
    return Upserted(record_id=record_id, is_created=True)
