"""Reading: keyset polling with overlap, deletions and merges, present state by id."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from comity.connect.http import objects_in
from comity.connect.types import CallFailed, ChangeKind, Page, ReadChange
from comity.connect.versions import (
    Seen,
    decode_cursor,
    encode_cursor,
    encode_payload,
    parse_stamp,
    version_of,
)
from comity.connectors.salesforce import soql
from comity.connectors.salesforce.client import SalesforceClient

DELETED_DAYS_MAX = 15
DELETED_SPAN_SECONDS_MIN = 60
_ID = re.compile(r"[A-Za-z0-9]{15}([A-Za-z0-9]{3})?")
"""Anything else is no id of a record, and a query that names it is refused whole."""
_MERGEABLE = frozenset({"Account", "Case", "Contact", "Individual", "Lead"})


class _Cursor(Struct, kw_only=True, forbid_unknown_fields=True):
    """Where reading is. A pass runs from an overlap before `top` until there are no more rows.

    `top` is the furthest row ever read, `at` the place inside the present pass, `read_at` when the last pass ended;
    `seen` holds the states met in the overlap, `fresh` collects them anew during a long pass so that old ones are
    forgotten.
    """

    top: tuple[datetime, str] | None = None
    at: tuple[datetime, str] | None = None
    pass_at: datetime | None = None
    read_at: datetime | None = None
    is_long: bool = True
    long_at: datetime | None = None
    seen: str = ""
    fresh: str = ""
    deleted_from: datetime
    deleted_at: datetime | None = None


class Reader:
    """Reads one organisation."""

    def __init__(self, client: SalesforceClient) -> None:
        """Take the client."""
        self._client = client

    def read(self, stream: str, cursor: str | None, *, fields: Sequence[str], limit_pages: int) -> Iterator[Page]:
        """Read pages of changes; the last page of a pass carries deletions and merges when they are due."""
        now = self._client.clock.now()
        state = decode_cursor(cursor, _Cursor) if cursor else _Cursor(deleted_from=now)
        for _ in range(limit_pages):
            page = self._page(stream, state, self.columns(stream, fields))
            yield page
            if page.is_last:
                return

    def fetch(self, stream: str, ids: Sequence[str], *, fields: Sequence[str]) -> list[ReadChange]:
        """Read records by id, deleted and merged ones included; unknown ids are gone."""
        extra = ["IsDeleted", *(["MasterRecordId"] if stream in _MERGEABLE else [])]
        columns = self.columns(stream, fields)
        found: dict[str, ReadChange] = {}
        possible = [each for each in ids if _ID.fullmatch(each)]
        for query in soql.by_values(stream, list(dict.fromkeys([*columns, *extra])), field="Id", values=possible):
            for row in self._client.query(query, is_all=True):
                found[str(row["Id"])] = self._state(stream, row, columns)
        now = self._client.clock.now()
        by_short = {external_id[:15]: change for external_id, change in found.items()}
        return [by_short.get(wanted[:15]) or _gone(stream, wanted, now) for wanted in dict.fromkeys(ids)]

    def find(self, stream: str, key_field: str, values: Sequence[str], *, fields: Sequence[str]) -> list[ReadChange]:
        """Find living records by a field."""
        columns = self.columns(stream, [*fields, key_field] if fields else fields)
        queries = soql.by_values(stream, columns, field=key_field, values=values)
        return [self._change(stream, row, columns) for query in queries for row in self._client.query(query)]

    def columns(self, stream: str, fields: Sequence[str]) -> list[str]:
        """What to select: what is wanted, or all the object has, and always id and stamp."""
        wanted: Sequence[str] = fields
        if not wanted:
            described = self._client.get(f"/sobjects/{soql.name(stream)}/describe")
            kinds = {"address", "location"}
            wanted = [str(f["name"]) for f in objects_in(described.get("fields")) if f.get("type") not in kinds]
        return list(dict.fromkeys(["Id", self._stamp_field(stream), *wanted]))

    def _stamp_field(self, stream: str) -> str:
        return self._client.settings.stamp_fields.get(stream, "SystemModstamp")

    def _page(self, stream: str, state: _Cursor, columns: list[str]) -> Page:
        settings = self._client.settings
        if state.pass_at is None:
            self._begin_pass(state)
        asked_at = self._client.clock.now()
        query = soql.keyset(
            stream, columns, stamp_field=self._stamp_field(stream), after=state.at, limit=settings.page_size
        )
        rows = list(self._client.query(query))
        changes = self._unseen(state, [self._change(stream, row, columns) for row in rows])
        is_last = len(rows) < settings.page_size
        if is_last:
            state.read_at = asked_at
            changes += self._end_pass(stream, state)
        return Page(changes=changes, cursor=encode_cursor(state), is_last=is_last)

    def _begin_pass(self, state: _Cursor) -> None:
        """Start where rows may have appeared since the last pass ended, at the latest just after `top`."""
        settings = self._client.settings
        now = self._client.clock.now()
        state.pass_at = now
        due_at = state.long_at and state.long_at + timedelta(seconds=settings.overlap_every_seconds)
        state.is_long = due_at is None or now >= due_at
        state.fresh = ""
        state.at = state.top
        overlap_seconds = settings.lookback_seconds if state.is_long else settings.overlap_seconds
        overlap_from = (state.read_at or now) - timedelta(seconds=overlap_seconds)
        if state.top is not None and overlap_from < state.top[0]:
            state.at = (overlap_from.replace(microsecond=0), "")

    def _unseen(self, state: _Cursor, changes: list[ReadChange]) -> list[ReadChange]:
        """Leave out what an earlier pass handed on; move the cursor past these rows."""
        pass_at = state.pass_at or self._client.clock.now()
        remember_from = pass_at - timedelta(seconds=self._client.settings.lookback_seconds)
        seen, fresh = Seen(state.seen), Seen(state.fresh)
        unseen: list[ReadChange] = []
        for change in changes:
            if not seen.has(change.external_id, change.version) and not fresh.has(change.external_id, change.version):
                unseen.append(change)
            if change.source_at is None:
                continue
            if change.source_at >= remember_from:
                (fresh if state.is_long else seen).add(change.external_id, change.version)
            state.at = (change.source_at, change.external_id)
            if state.top is None or change.source_at >= state.top[0]:
                state.top = state.at
        state.seen, state.fresh = seen.to_text(), fresh.to_text()
        return unseen

    def _end_pass(self, stream: str, state: _Cursor) -> list[ReadChange]:
        changes: list[ReadChange] = []
        pass_at = state.pass_at or self._client.clock.now()
        every = timedelta(seconds=self._client.settings.deletes_every_seconds)
        if state.deleted_at is None or pass_at >= state.deleted_at + every:
            changes = self._deleted(stream, state, pass_at)
            state.deleted_at = pass_at
        if state.is_long:
            state.seen, state.long_at = state.fresh, pass_at
        state.at, state.pass_at, state.fresh = None, None, ""
        return changes

    def _deleted(self, stream: str, state: _Cursor, pass_at: datetime) -> list[ReadChange]:
        """What was deleted or merged since the last look; the API has minutes for its unit."""
        earliest = pass_at - timedelta(days=DELETED_DAYS_MAX) + timedelta(minutes=1)
        start = max(state.deleted_from - timedelta(seconds=DELETED_SPAN_SECONDS_MIN), earliest)
        end = max(pass_at, start + timedelta(seconds=DELETED_SPAN_SECONDS_MIN))
        while True:
            try:
                answer = self._client.get(
                    f"/sobjects/{soql.name(stream)}/deleted/", start=_rest_moment(start), end=_rest_moment(end)
                )
                break
            except CallFailed as failure:
                span = (end - start) / 2
                if failure.reason_code != "EXCEEDED_ID_LIMIT" or span.total_seconds() < DELETED_SPAN_SECONDS_MIN:
                    raise
                end = start + span
        state.deleted_from = parse_stamp(answer.get("latestDateCovered")) or end
        deleted = {str(row["id"]): str(row.get("deletedDate")) for row in objects_in(answer.get("deletedRecords"))}
        return self._endings(stream, deleted)

    def _endings(self, stream: str, deleted: dict[str, str]) -> list[ReadChange]:
        """Tell deletions from merges, and leave out what has been restored meanwhile."""
        columns = ["Id", "IsDeleted", *(["MasterRecordId"] if stream in _MERGEABLE else [])]
        rows: dict[str, dict[str, Any]] = {}
        for query in soql.by_values(stream, columns, field="Id", values=list(deleted)):
            rows |= {str(row["Id"]): row for row in self._client.query(query, is_all=True)}
        changes: list[ReadChange] = []
        for external_id, stamp in deleted.items():
            row = rows.get(external_id, {"IsDeleted": True})
            if row.get("IsDeleted"):
                changes.append(_ending(stream, external_id, row.get("MasterRecordId"), stamp))
        return changes

    def _state(self, stream: str, row: dict[str, Any], columns: list[str]) -> ReadChange:
        if row.get("IsDeleted"):
            stamp = str(row.get(self._stamp_field(stream)))
            return _ending(stream, str(row["Id"]), row.get("MasterRecordId"), stamp)
        return self._change(stream, row, columns)

    def _change(self, stream: str, row: dict[str, Any], columns: list[str]) -> ReadChange:
        wanted = {column.split(".")[0] for column in columns}
        payload = encode_payload({key: _plain(value) for key, value in row.items() if key in wanted})
        stamp = str(row.get(self._stamp_field(stream)))
        return ReadChange(
            stream=stream,
            external_id=str(row["Id"]),
            version=version_of(payload, stamp),
            source_at=parse_stamp(stamp),
            payload=payload,
        )


def _plain(value: Any) -> Any:
    """A related record without its `attributes`."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items() if key != "attributes"}  # pyright: ignore[reportUnknownVariableType] - JSON.
    return value


def _ending(stream: str, external_id: str, survivor: Any, stamp: str) -> ReadChange:
    if survivor:
        return ReadChange(
            stream=stream,
            external_id=external_id,
            kind=ChangeKind.MERGE,
            version=f"merged.{survivor}",
            source_at=parse_stamp(stamp),
            survivor_id=str(survivor),
        )
    return ReadChange(
        stream=stream,
        external_id=external_id,
        kind=ChangeKind.DELETE,
        version=f"deleted.{stamp}",
        source_at=parse_stamp(stamp),
    )


def _gone(stream: str, external_id: str, now: datetime) -> ReadChange:
    return ReadChange(
        stream=stream, external_id=external_id, kind=ChangeKind.DELETE, version=f"gone.{now:%Y-%m-%dT%H:%M:%S}"
    )


def _rest_moment(value: datetime) -> str:
    return value.replace(microsecond=0).isoformat()
