"""Reading as described: pages of a list, records by id, records by a field."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct

from comity.connect.http import objects_in
from comity.connect.paging import Place, first_place, next_place
from comity.connect.paths import MISSING, places_in, read_path, text_at
from comity.connect.types import CallFailed, ChangeKind, ErrorClass, Page, ReadChange, unsupported
from comity.connect.versions import Seen, decode_cursor, encode_cursor, encode_payload, parse_stamp, version_of
from comity.connectors.rest.client import RestClient
from comity.connectors.rest.settings import ChangedAtCursor, ListRequest, StreamSettings, TokenCursor
from comity.kernel.egress import Response

NO_CONTENT = 204


class _Cursor(Struct, kw_only=True, forbid_unknown_fields=True):
    """Where reading is: `value` is what `{cursor}` stands for, `place` the page inside the present pass."""

    value: str | None = None
    place: Place | None = None
    pass_at: datetime | None = None
    top: datetime | None = None
    seen: str = ""
    fresh: str = ""


class Reader:
    """Reads one system."""

    def __init__(self, client: RestClient) -> None:
        """Take the client."""
        self._client = client

    def read(self, stream: str, cursor: str | None, *, limit_pages: int) -> Iterator[Page]:
        """Read pages of changes as `list` describes."""
        described = self._client.stream(stream)
        if described.list is None:
            raise unsupported("rest", f"read {stream}: its description has no list")
        state = decode_cursor(cursor, _Cursor) if cursor else _Cursor(value=_start(described.list))
        for _ in range(limit_pages):
            page = self._page(stream, described, described.list, state)
            yield page
            if page.is_last:
                return

    def fetch(self, stream: str, ids: Sequence[str]) -> list[ReadChange]:
        """Read records by id as `fetch` describes; those not found are gone."""
        described = self._client.stream(stream)
        request = described.fetch
        if request is None:
            raise unsupported("rest", f"fetch {stream}: its description has no fetch")
        wanted = list(dict.fromkeys(ids))
        found: dict[str, ReadChange] = {}
        for at in range(0, len(wanted), request.max):
            part = wanted[at : at + request.max]
            values = {"id": part[0]} if request.max == 1 else {"ids": ",".join(part), "id_list": part}
            for record in self._fetched(described, values):
                change = change_of(stream, described, record)
                found[change.external_id] = change
        now = self._client.clock.now()
        return [found.get(external_id) or gone(stream, external_id, now) for external_id in wanted]

    def find(self, stream: str, key_field: str, values: Sequence[str]) -> list[ReadChange]:
        """Find records as `find` describes; the answer is checked, since systems ignore what they do not know."""
        described = self._client.stream(stream)
        request = described.find
        if request is None:
            raise unsupported("rest", f"find {stream} by {key_field}: its description has no find")
        changes: list[ReadChange] = []
        for value in dict.fromkeys(values):
            names = {"field": key_field, "value": value}
            try:
                response = self._client.send(
                    request.method, request.path, names, query=request.query, body=request.body, is_write=False
                )
            except CallFailed as failure:
                if failure.error_class in {ErrorClass.NOT_FOUND, ErrorClass.GONE}:
                    continue
                raise
            document = document_of(response)
            where = described.records if request.records is None else request.records
            fitting = [r for r in records_at(document, where) if text_at(r, key_field) == value]
            changes += [change_of(stream, described, record) for record in fitting]
        return changes

    def sample(self, stream: str) -> list[dict[str, Any]]:
        """The first page of a stream, to see what its records look like."""
        described = self._client.stream(stream)
        if described.list is None:
            return []
        state = _Cursor(value=_start(described.list))
        return self._list(described, described.list, state, first_place(described.list.paging))[1]

    def _page(self, stream: str, described: StreamSettings, request: ListRequest, state: _Cursor) -> Page:
        now = self._client.clock.now()
        if state.pass_at is None:
            state.pass_at, state.place, state.fresh = now, first_place(request.paging), ""
        place = state.place or first_place(request.paging)
        try:
            document, records, link = self._list(described, request, state, place)
        except CallFailed as failure:
            if not _is_expired(request, failure) or state.value is None:
                raise
            state.value, state.place, state.pass_at, state.fresh = _start(request), None, None, ""
            return Page(changes=[], cursor=encode_cursor(state), is_last=False)
        changes = self._unseen(stream, described, records, state)
        state.place = next_place(request.paging, place, document, records=records, link_header=link)
        is_last = state.place is None
        if is_last:
            _end_pass(request, state, document, now)
        return Page(changes=changes, cursor=encode_cursor(state), is_last=is_last)

    def _list(
        self, described: StreamSettings, request: ListRequest, state: _Cursor, place: Place
    ) -> tuple[Any, list[dict[str, Any]], str | None]:
        values = {"cursor": state.value}
        query = request.query if state.value is not None else _without_cursor(request.query)
        body = request.body if state.value is not None else _without_cursor(request.body)
        response = self._client.send(
            request.method,
            request.path if place.url is None else self._client.link(request.path, place.url),
            values,
            query={} if place.url else {**query, **place.params},
            body=body,
            is_write=False,
        )
        document = document_of(response)
        return document, records_at(document, described.records), response.header("Link")

    def _fetched(self, described: StreamSettings, values: dict[str, Any]) -> list[dict[str, Any]]:
        request = described.fetch
        if request is None:
            return []
        try:
            response = self._client.send(
                request.method, request.path, values, query=request.query, body=request.body, is_write=False
            )
        except CallFailed as failure:
            if failure.error_class in {ErrorClass.NOT_FOUND, ErrorClass.GONE}:
                return []
            raise
        document = document_of(response)
        if request.records is not None:
            return records_at(document, request.records)
        if response.status == NO_CONTENT:
            return []
        return record_at(document, request.record)

    def _unseen(
        self, stream: str, described: StreamSettings, records: list[dict[str, Any]], state: _Cursor
    ) -> list[ReadChange]:
        seen, fresh = Seen(state.seen), Seen(state.fresh)
        unseen: list[ReadChange] = []
        for record in records:
            change = change_of(stream, described, record)
            if not seen.has(change.external_id, change.version):
                unseen.append(change)
            fresh.add(change.external_id, change.version)
            if change.source_at is not None:
                state.top = max(state.top, change.source_at) if state.top else change.source_at
        state.fresh = fresh.to_text()
        return unseen


def change_of(stream: str, described: StreamSettings, record: dict[str, Any]) -> ReadChange:
    """A record as a change: its end, when the description's paths say so."""
    external_id = text_at(record, described.id)
    if external_id is None:
        message = f"A record of {stream} has no id at {described.id!r}."
        raise CallFailed(error_class=ErrorClass.UNKNOWN, message=message, field=described.id)
    payload = encode_payload(record)
    stamp = text_at(record, described.changed_at) if described.changed_at else None
    version = text_at(record, described.version) if described.version else None
    survivor = text_at(record, described.merged_into) if described.merged_into else None
    kind = ChangeKind.UPSERT
    if survivor:
        kind = ChangeKind.MERGE
    elif described.deleted and read_path(record, described.deleted) not in {MISSING, None, False, "", "false"}:
        kind = ChangeKind.DELETE
    return ReadChange(
        stream=stream,
        external_id=external_id,
        kind=kind,
        version=version_of(payload, version or stamp),
        source_at=parse_stamp(read_path(record, described.changed_at)) if described.changed_at else None,
        payload=payload,
        survivor_id=survivor or None,
    )


def document_of(response: Response) -> Any:
    """The answer as JSON, None for an empty body. Raises `CallFailed` for anything else, such as a page of HTML."""
    try:
        return response.json() if response.body else None
    except ValueError as error:
        raise CallFailed(error_class=ErrorClass.UNKNOWN, message=str(error)) from error


def record_at(document: Any, path: str) -> list[dict[str, Any]]:
    """The one record of an answer, none where the system says null.

    Raises `CallFailed` when the answer says nothing of a record: that it could not be read is not that it is gone.
    """
    found = read_path(document, path) if document is not None else MISSING
    if found is None or isinstance(found, dict):
        return objects_in([found])
    where = f"at {path!r}" if path else "as the whole body"
    raise CallFailed(error_class=ErrorClass.UNKNOWN, message=f"The answer has no record {where}.")


def records_at(document: Any, path: str) -> list[dict[str, Any]]:
    """The records of an answer. Raises `CallFailed` when there is no list: an empty list is not the same as none."""
    found = read_path(document, path)
    if isinstance(found, list):
        return objects_in(found)  # pyright: ignore[reportUnknownArgumentType] - JSON.
    where = f"at {path!r}" if path else "as the whole body"
    raise CallFailed(error_class=ErrorClass.UNKNOWN, message=f"The answer has no list of records {where}.")


def gone(stream: str, external_id: str, now: datetime) -> ReadChange:
    """A record that the system does not know (any more)."""
    version = f"gone.{now:%Y-%m-%dT%H:%M:%S}"
    return ReadChange(stream=stream, external_id=external_id, kind=ChangeKind.DELETE, version=version)


def _start(request: ListRequest) -> str | None:
    return request.cursor.start if isinstance(request.cursor, ChangedAtCursor) else None


def _end_pass(request: ListRequest, state: _Cursor, document: Any, now: datetime) -> None:
    """Set the cursor for the next pass: never past the beginning of this one, since walked rows may have changed."""
    cursor = request.cursor
    if isinstance(cursor, TokenCursor):
        state.value = text_at(document, cursor.path) or state.value
    elif isinstance(cursor, ChangedAtCursor) and state.top is not None:
        until = min(state.top, state.pass_at or now) - timedelta(seconds=cursor.overlap_seconds)
        state.value = _write_moment(until, cursor)
    state.seen, state.fresh, state.place, state.pass_at = state.fresh, "", None, None


def _write_moment(moment: datetime, cursor: ChangedAtCursor) -> str:
    if cursor.format == "iso":
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(int(moment.timestamp() * (1 if cursor.format == "seconds" else 1000)))


def _without_cursor(template: Any) -> Any:
    if isinstance(template, dict):
        return {k: v for k, v in template.items() if "cursor" not in places_in(v)}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - templates are JSON.
    return template


def _is_expired(request: ListRequest, failure: CallFailed) -> bool:
    expired = request.cursor.expired_statuses if isinstance(request.cursor, TokenCursor) else ()
    if failure.error_class is ErrorClass.GONE and 410 in expired:
        return True
    return any(failure.reason_code == f"http_{status}" for status in expired)
