"""Writing: collections of 200, upsert by our external-id field or update by id, one verdict a row."""

from collections.abc import Sequence
from typing import Any

from comity.connect.batches import verdict_of, write_in_batches
from comity.connect.http import decode_json, objects_in
from comity.connect.types import CallFailed, ErrorClass, Outcome, Verdict, WriteItem
from comity.connectors.salesforce import soql
from comity.connectors.salesforce.client import SalesforceClient
from comity.connectors.salesforce.errors import row_verdict
from comity.kernel.egress import Response

BATCH_MAX = 200
_FIELD_ERRORS = frozenset({"INVALID_FIELD", "INVALID_FIELD_FOR_INSERT_UPDATE", "JSON_PARSER_ERROR"})


class Writer:
    """Writes to one organisation."""

    def __init__(self, client: SalesforceClient) -> None:
        """Take the client."""
        self._client = client

    def write(self, stream: str, batch: Sequence[WriteItem]) -> list[Verdict]:
        """Write each item by its id, else by its match field, else as a new record."""
        soql.name(stream)
        return write_in_batches(
            batch, batch_max=BATCH_MAX, write=lambda items: self._write(stream, items), kind_of=_kind
        )

    def _write(self, stream: str, items: Sequence[WriteItem]) -> list[Verdict]:
        """Write a batch of one kind. A field the organisation does not know fails the items that carry it, alone."""
        try:
            response = self._send(stream, items)
        except CallFailed as failure:
            if failure.error_class is ErrorClass.NOT_FOUND and items[0].match_field and items[0].external_id is None:
                return [_without_match_field(item, failure) for item in items]
            if failure.reason_code not in _FIELD_ERRORS:
                raise
            bad = [item for item in items if failure.field is None or failure.field in item.fields]
            good = [item for item in items if item not in bad]
            rejected = [verdict_of(item, failure) for item in bad or items]
            return rejected + (self._write(stream, good) if bad and good else [])
        rows = objects_in(decode_json(response))
        is_created = True if _kind(items[0]) == "create" else None
        if _kind(items[0]) == "update":
            is_created = False
        return [row_verdict(item, row, is_created=is_created) for item, row in zip(items, rows, strict=False)]

    def _send(self, stream: str, items: Sequence[WriteItem]) -> Response:
        records: list[dict[str, Any]] = [_record(stream, item) for item in items]
        path = f"{self._client.data_path}/composite/sobjects"
        if _kind(items[0]).startswith("upsert"):
            path += f"/{stream}/{soql.name(items[0].match_field or '')}"
        return self._client.caller.call(
            "POST" if _kind(items[0]) == "create" else "PATCH",
            path,
            json={"allOrNone": False, "records": records},
            headers=self._client.write_headers(),
        )


def _kind(item: WriteItem) -> str:
    if item.external_id is not None:
        return "update"
    return f"upsert {item.match_field}" if item.match_field and item.match_value else "create"


def _record(stream: str, item: WriteItem) -> dict[str, Any]:
    record: dict[str, Any] = {"attributes": {"type": stream}}
    record |= {name: value for name, value in item.fields.items() if name not in {"Id", "attributes"}}
    if item.external_id is not None:
        record["Id"] = item.external_id
    elif item.match_field and item.match_value:
        record[item.match_field] = item.match_value
    return record


def _without_match_field(item: WriteItem, failure: CallFailed) -> Verdict:
    return Verdict(
        key=item.key,
        outcome=Outcome.REJECTED,
        reason_code=failure.reason_code,
        message=f"{failure.message} (create {item.match_field} as a unique external id field first)",
        field=item.match_field,
    )
