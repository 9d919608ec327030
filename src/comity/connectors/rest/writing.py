"""Writing as described: one record a call, or many where the system takes batches."""

from collections.abc import Sequence
from typing import Any

from comity.connect.batches import write_in_batches
from comity.connect.http import decode_json, objects_in
from comity.connect.paths import MISSING, fill, nest, read_path, text_at
from comity.connect.types import (
    MESSAGE_CHARS_MAX,
    CallFailed,
    ErrorClass,
    Outcome,
    Verdict,
    WriteItem,
    unsupported,
)
from comity.connectors.rest.client import RestClient
from comity.connectors.rest.settings import BatchRequest, StreamSettings, WriteRequest
from comity.kernel.egress import Response

_WHOLE_CALL = frozenset({ErrorClass.AUTH_EXPIRED, ErrorClass.FORBIDDEN, ErrorClass.LIMIT_SHORT, ErrorClass.LIMIT_LONG})


class Writer:
    """Writes to one system."""

    def __init__(self, client: RestClient) -> None:
        """Take the client."""
        self._client = client

    def write(self, stream: str, batch: Sequence[WriteItem]) -> list[Verdict]:
        """Write by `batch` where it is described, else by `update`, `upsert` or `create`, one record a call."""
        described = self._client.stream(stream)
        if described.batch is not None:
            request = described.batch
            return write_in_batches(
                batch, batch_max=request.max, write=lambda items: self._write_batch(described, request, items)
            )
        return write_in_batches(batch, batch_max=1, write=lambda items: [self._write_one(stream, described, items[0])])

    def _write_one(self, stream: str, described: StreamSettings, item: WriteItem) -> Verdict:
        """Write one record. What concerns this record alone becomes its verdict; the rest is raised.

        A server error is this record's own unless the server says it is busy, so that no record can block the others.
        """
        verb, request = _request_for(stream, described, item)
        headers: dict[str, str] = {}
        if request.idempotency_header and item.idempotency_key:
            headers[request.idempotency_header] = item.idempotency_key
        try:
            response = self._client.send(
                request.method,
                request.path,
                _values(described, item),
                query=request.query,
                body=request.body,
                is_write=True,
                headers=headers,
            )
        except CallFailed as failure:
            code = failure.reason_code or ""
            if failure.error_class in _WHOLE_CALL or code.startswith("egress_") or code == "http_503":
                raise
            return self._client.verdict(item, failure)
        return _written(described, request, item, response, verb)

    def _write_batch(
        self, described: StreamSettings, request: BatchRequest, items: Sequence[WriteItem]
    ) -> list[Verdict]:
        values = {"items": [_fill_item(described, request, item) for item in items]}
        response = self._client.send(request.method, request.path, values, query={}, body=request.body, is_write=True)
        rows = objects_in(read_path(decode_json(response), request.results))
        by_key = {item.key: item for item in items}
        verdicts: list[Verdict] = []
        for at, row in enumerate(rows):
            in_order = items[at] if at < len(items) else None
            item = by_key.get(text_at(row, request.key) or "") if request.key else in_order
            if item is not None:
                verdicts.append(self._row_verdict(request, item, row))
        return verdicts

    def _row_verdict(self, request: BatchRequest, item: WriteItem, row: dict[str, Any]) -> Verdict:
        errors = self._client.settings.errors
        code = text_at(row, errors.code) if errors.code else None
        outcome = errors.codes.get(code) if code is not None else None
        is_ok = read_path(row, request.ok) in {True, "true"} if request.ok else code is None
        if is_ok and outcome is None:
            created = read_path(row, request.created) if request.created else None
            return Verdict(
                key=item.key,
                outcome=Outcome.DELIVERED,
                external_id=text_at(row, request.id) or item.external_id,
                is_created=created if isinstance(created, bool) else None,
            )
        message = text_at(row, errors.message) if errors.message else None
        existing = text_at(row, errors.existing_id) if errors.existing_id else None
        outcome = outcome or Outcome.REJECTED
        return Verdict(
            key=item.key,
            outcome=outcome,
            external_id=existing if outcome is Outcome.CONFLICT else item.external_id,
            reason_code=code,
            message=message[:MESSAGE_CHARS_MAX] if message else None,
            field=text_at(row, errors.field) if errors.field else None,
        )


def _request_for(stream: str, described: StreamSettings, item: WriteItem) -> tuple[str, WriteRequest]:
    if item.external_id is not None:
        verb, request = "update", described.update
    elif described.upsert is not None and item.match_field and item.match_value:
        verb, request = "upsert", described.upsert
    else:
        verb, request = "create", described.create
    if request is None:
        raise unsupported("rest", f"{verb} records of {stream}: its description has no {verb}")
    return verb, request


def _values(described: StreamSettings, item: WriteItem) -> dict[str, Any]:
    return {
        "fields": nest(item.fields) if described.nest_dots else dict(item.fields),
        "id": item.external_id,
        "key": item.key,
        "idempotency_key": item.idempotency_key or item.key,
        "match_field": item.match_field,
        "match_value": item.match_value,
    }


def _fill_item(described: StreamSettings, request: BatchRequest, item: WriteItem) -> Any:
    return fill(request.item, _values(described, item))


def _written(
    described: StreamSettings, request: WriteRequest, item: WriteItem, response: Response, verb: str
) -> Verdict:
    document = decode_json(response)
    external_id = item.external_id
    found = read_path(document, request.id or described.id)
    if found is not MISSING and found is not None:
        external_id = str(found)
    location = response.header("Location")
    if external_id is None and location:
        external_id = location.partition("?")[0].rstrip("/").rpartition("/")[2]
    is_created = verb == "create" if verb != "upsert" else response.status in request.created_statuses
    return Verdict(key=item.key, outcome=Outcome.DELIVERED, external_id=external_id, is_created=is_created)
