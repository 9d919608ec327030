"""Writing: batches of 100 by id or by our unique property, one verdict a record."""

from collections.abc import Sequence
from typing import Any, cast

from comity.connect.batches import verdict_of, write_in_batches, write_splitting
from comity.connect.http import objects_in
from comity.connect.types import CallFailed, Outcome, Verdict, WriteItem
from comity.connectors.hubspot.client import HubSpotClient
from comity.connectors.hubspot.errors import UNKNOWN_FIELD_CODES, of_error

BATCH_MAX = 100


class Writer:
    """Writes to one account."""

    def __init__(self, client: HubSpotClient) -> None:
        """Take the client."""
        self._client = client

    def write(self, stream: str, batch: Sequence[WriteItem]) -> list[Verdict]:
        """Write each item by its id, else by its match property, else as a new record."""
        return write_in_batches(
            batch,
            batch_max=BATCH_MAX,
            write=lambda items: write_splitting(items, lambda part: self._write(stream, part)),
            kind_of=_kind,
        )

    def _write(self, stream: str, items: Sequence[WriteItem]) -> list[Verdict]:
        """Write a batch of one kind. An unknown property fails the items that carry it, without splitting."""
        verb = _kind(items[0]).split(" ")[0]
        path = f"{self._client.objects_path(stream)}/batch/{verb}"
        try:
            answer = self._client.post(path, {"inputs": [_input(item) for item in items]}, is_write=True)
        except CallFailed as failure:
            if failure.field is None or failure.reason_code not in UNKNOWN_FIELD_CODES:
                raise
            bad = [item for item in items if failure.field in item.fields or failure.field == item.match_field]
            if not bad:
                raise
            good = [item for item in items if item not in bad]
            return [verdict_of(item, failure) for item in bad] + (self._write(stream, good) if good else [])
        return _verdicts(items, answer)


def _verdicts(items: Sequence[WriteItem], answer: dict[str, Any]) -> list[Verdict]:
    """Match results and errors with items by trace id, record id or unique value; the order means nothing."""
    by_name = {name: item for item in items for name in _names(item)}
    verdicts: dict[str, Verdict] = {}
    rest: list[dict[str, Any]] = []
    for row in objects_in(answer.get("results")):
        item = next((by_name[name] for name in _row_names(row, items[0].match_field) if name in by_name), None)
        if item is None:
            rest.append(row)
        else:
            verdicts[item.key] = _delivered(item, row)
    for error in objects_in(answer.get("errors")):
        failure = of_error(error)
        for item in {by_name[name].key: by_name[name] for name in _error_names(error) if name in by_name}.values():
            verdicts.setdefault(item.key, verdict_of(item, failure))
    unmatched = [item for item in items if item.key not in verdicts]
    if len(unmatched) == 1 and len(rest) == 1:
        verdicts[unmatched[0].key] = _delivered(unmatched[0], rest[0])
    return list(verdicts.values())


def _delivered(item: WriteItem, row: dict[str, Any]) -> Verdict:
    """A merged record is written by its old id and answers with its survivor's."""
    is_new = row.get("new")
    if item.external_id is not None:
        is_new = False
    elif not item.match_value:
        is_new = True
    return Verdict(
        key=item.key,
        outcome=Outcome.DELIVERED,
        external_id=str(row["id"]),
        is_created=is_new if isinstance(is_new, bool) else None,
    )


def _kind(item: WriteItem) -> str:
    if item.external_id is not None:
        return "update"
    return f"upsert {item.match_field}" if item.match_field and item.match_value else "create"


def _input(item: WriteItem) -> dict[str, Any]:
    properties = {name: _text(value) for name, value in item.fields.items() if name not in {"id", "hs_object_id"}}
    written: dict[str, Any] = {"properties": properties, "objectWriteTraceId": item.key}
    if item.external_id is not None:
        written["id"] = item.external_id
    elif item.match_field and item.match_value:
        written |= {"id": item.match_value, "idProperty": item.match_field}
        properties[item.match_field] = item.match_value
    else:
        written["associations"] = []
    return written


def _text(value: Any) -> str:
    """Every value is text here, and the empty text clears."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ";".join(_text(part) for part in cast("list[Any]", value))
    return str(value)


def _names(item: WriteItem) -> list[str]:
    names = [f"trace {item.key}"]
    if item.external_id is not None:
        return [*names, f"id {item.external_id}"]
    return [*names, f"value {item.match_value}"] if item.match_value else names


def _row_names(row: dict[str, Any], match_field: str | None) -> list[str]:
    properties = cast("dict[str, Any]", row.get("properties") or {})
    names = [f"trace {row.get('objectWriteTraceId')}", f"id {row.get('id')}"]
    return [*names, f"value {properties.get(match_field)}"] if match_field else names


def _error_names(error: dict[str, Any]) -> list[str]:
    context = cast("dict[str, Any]", error.get("context") or {})
    names = [f"trace {error.get('objectWriteTraceId')}"]
    for values in context.values():
        if isinstance(values, list):
            told = [str(value) for value in cast("list[Any]", values)]
            names += [f"{what} {value}" for value in told for what in ("trace", "id", "value")]
    return names
