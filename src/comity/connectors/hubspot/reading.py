"""Reading: windows of the search index walked by id, the archived list, present state by id."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from msgspec import Struct

from comity.connect.http import objects_in
from comity.connect.types import CallFailed, ChangeKind, ErrorClass, Page, ReadChange
from comity.connect.versions import Seen, decode_cursor, encode_cursor, encode_payload, parse_stamp, version_of
from comity.connectors.hubspot.client import HubSpotClient

BATCH_MAX = 100
ARCHIVED_PAGES_MAX = 10_000
FIND_VALUES_MAX = 100
KNOWN_SECONDS = 300.0
_MERGED = "hs_merged_object_ids"


class _Cursor(Struct, kw_only=True, forbid_unknown_fields=True):
    """Where reading is: the window from `since` to `until`, walked by id, `last_id` being the last one read.

    `until` is None between passes, `since` None before the first. `seen` holds the states of the last window,
    `fresh` those of the present one.
    """

    since: datetime | None = None
    until: datetime | None = None
    last_id: str | None = None
    seen: str = ""
    fresh: str = ""
    archived_since: datetime
    archived_at: datetime | None = None


class Reader:
    """Reads one account."""

    def __init__(self, client: HubSpotClient) -> None:
        """Take the client."""
        self._client = client
        self._known: dict[str, tuple[set[str], float]] = {}

    def read(self, stream: str, cursor: str | None, *, fields: Sequence[str], limit_pages: int) -> Iterator[Page]:
        """Read pages of changes; the last page of a window carries newly archived records when they are due."""
        state = decode_cursor(cursor, _Cursor) if cursor else _Cursor(archived_since=self._client.clock.now())
        properties = self.properties(stream, fields)
        for _ in range(limit_pages):
            page = self._page(stream, state, properties)
            yield page
            if page.is_last:
                return

    def fetch(self, stream: str, ids: Sequence[str], *, fields: Sequence[str]) -> list[ReadChange]:
        """Read records by id; archived, merged and unknown ones come back as delete or merge."""
        properties = self.properties(stream, fields)
        found: dict[str, ReadChange] = {}
        wanted = list(dict.fromkeys(ids))
        for at in range(0, len(wanted), BATCH_MAX):
            found |= self._fetch(stream, wanted[at : at + BATCH_MAX], properties)
        return [found[external_id] for external_id in wanted]

    def find(self, stream: str, key_field: str, values: Sequence[str], *, fields: Sequence[str]) -> list[ReadChange]:
        """Find records by a unique property at once, by any other through the index, which lags."""
        properties = list(dict.fromkeys([*self.properties(stream, fields), key_field]))
        changes: list[ReadChange] = []
        wanted = list(dict.fromkeys(values))
        for at in range(0, len(wanted), FIND_VALUES_MAX):
            part = wanted[at : at + FIND_VALUES_MAX]
            if key_field == self._client.settings.unique_property:
                rows = self._batch_read(stream, part, properties, id_property=key_field)
            else:
                rows = self._search_by(stream, key_field, part, properties)
            changes += [self._change(stream, row, properties) for row in rows]
        return changes

    def properties(self, stream: str, fields: Sequence[str]) -> list[str]:
        """What to ask for: what is wanted and exists, or every property, and always id and change time.

        HubSpot passes over unknown names without a word. Their values must be absent from a payload, not null: null
        would read as cleared.
        """
        known = self._known_properties(stream, fields)
        wanted = [name for name in fields if name in known] if fields else sorted(known)
        return list(dict.fromkeys(["hs_object_id", self._client.changed_property(stream), *wanted]))

    def _known_properties(self, stream: str, fields: Sequence[str]) -> set[str]:
        """The names of all properties, read again after a while when a wanted one is not among them."""
        now = self._client.clock.monotonic()
        known, asked_at = self._known.get(stream, (set[str](), -KNOWN_SECONDS))
        is_complete = bool(fields) and known.issuperset(set(fields) - {"id"})
        if is_complete or (known and now - asked_at < KNOWN_SECONDS):
            return known
        described = self._client.get(self._client.path("properties", stream))
        known = {str(p["name"]) for p in objects_in(described.get("results")) if not p.get("archived")}
        self._known[stream] = (known, now)
        return known

    def _page(self, stream: str, state: _Cursor, properties: list[str]) -> Page:
        settings = self._client.settings
        now = self._client.clock.now()
        if state.until is None:
            state.until = now - timedelta(seconds=settings.index_lag_seconds)
            state.last_id, state.fresh = None, ""
        rows = self._search(stream, state, properties)
        changes: list[ReadChange] = []
        seen, fresh = Seen(state.seen), Seen(state.fresh)
        remember_from = state.until - timedelta(seconds=settings.lookback_seconds)
        for row in rows:
            change = self._change(stream, row, properties)
            if not seen.has(change.external_id, change.version):
                changes += [change, *_merges_into(stream, row)]
            if change.source_at is not None and change.source_at >= remember_from:
                fresh.add(change.external_id, change.version)
            state.last_id = change.external_id
        state.fresh = fresh.to_text()
        is_last = len(rows) < settings.page_size
        if is_last:
            state.since = state.until - timedelta(seconds=settings.lookback_seconds)
            state.until, state.last_id, state.seen, state.fresh = None, None, state.fresh, ""
            if state.archived_at is None or now >= state.archived_at + timedelta(
                seconds=settings.archived_every_seconds
            ):
                changes += self._archived(stream, state, now)
        return Page(changes=changes, cursor=encode_cursor(state), is_last=is_last)

    def _search(self, stream: str, state: _Cursor, properties: list[str]) -> list[dict[str, Any]]:
        """The next page of a window. Each page is a query of its own, so the cap on results is never reached."""
        changed = self._client.changed_property(stream)
        filters = [{"propertyName": changed, "operator": "LTE", "value": _milliseconds(state.until)}]
        if state.since is not None:
            filters.append({"propertyName": changed, "operator": "GTE", "value": _milliseconds(state.since)})
        if state.last_id is not None:
            filters.append({"propertyName": "hs_object_id", "operator": "GT", "value": state.last_id})
        body = {
            "filterGroups": [{"filters": filters}],
            "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
            "properties": [*properties, _MERGED],
            "limit": self._client.settings.page_size,
        }
        answer = self._client.post(f"{self._client.objects_path(stream)}/search", body, is_write=False)
        rows = objects_in(answer.get("results"))
        if rows and state.last_id is not None and int(rows[0]["id"]) <= int(state.last_id):
            message = "The search does not honour the id filter; it would never end."
            raise CallFailed(error_class=ErrorClass.UNKNOWN, message=message)
        return rows

    def _search_by(self, stream: str, name: str, values: list[str], properties: list[str]) -> list[dict[str, Any]]:
        where = {"propertyName": name, "operator": "IN", "values": [value.lower() for value in values]}
        body = {"filterGroups": [{"filters": [where]}], "properties": properties, "limit": 200}
        answer = self._client.post(f"{self._client.objects_path(stream)}/search", body, is_write=False)
        return objects_in(answer.get("results"))

    def _archived(self, stream: str, state: _Cursor, now: datetime) -> list[ReadChange]:
        """Records archived since the last look, with a margin for clocks that differ."""
        since = state.archived_since - timedelta(seconds=self._client.settings.lookback_seconds)
        changes: list[ReadChange] = []
        after: str | None = None
        for _ in range(ARCHIVED_PAGES_MAX):
            params = {"archived": "true", "limit": str(BATCH_MAX), "properties": "hs_object_id"}
            answer = self._client.get(
                self._client.objects_path(stream), **params, **({"after": after} if after is not None else {})
            )
            for row in objects_in(answer.get("results")):
                archived_at = parse_stamp(row.get("archivedAt"))
                if archived_at is None or archived_at >= since:
                    changes.append(_archived_change(stream, row))
            following = _after(answer)
            if following is None or following == after:
                break
            after = following
        state.archived_since, state.archived_at = now, now
        return changes

    def _fetch(self, stream: str, ids: list[str], properties: list[str]) -> dict[str, ReadChange]:
        found: dict[str, ReadChange] = {}
        for row in self._batch_read(stream, ids, [*properties, _MERGED]):
            external_id = str(row["id"])
            if external_id in ids:
                found[external_id] = self._change(stream, row, properties)
            found |= {m.external_id: m for m in _merges_into(stream, row) if m.external_id in ids}
        missing = [external_id for external_id in ids if external_id not in found]
        if missing:
            archived = self._batch_read(stream, missing, ["hs_object_id"], is_archived=True)
            found |= {str(row["id"]): _archived_change(stream, row) for row in archived if str(row["id"]) in missing}
        for external_id in missing:
            if external_id not in found:
                found[external_id] = self._resolve(stream, external_id)
        return found

    def _resolve(self, stream: str, external_id: str) -> ReadChange:
        """A merged record answers with its survivor's id, an unknown one not at all."""
        try:
            row = self._client.get(f"{self._client.objects_path(stream)}/{external_id}")
        except CallFailed as failure:
            if failure.error_class is not ErrorClass.NOT_FOUND:
                raise
            version = f"gone.{self._client.clock.now():%Y-%m-%dT%H:%M:%S}"
            return ReadChange(stream=stream, external_id=external_id, kind=ChangeKind.DELETE, version=version)
        survivor = str(row.get("id"))
        if survivor == external_id:
            return self._change(stream, row, self.properties(stream, ()))
        return merge_change(stream, external_id, survivor, None)

    def _batch_read(
        self,
        stream: str,
        ids: list[str],
        properties: list[str],
        *,
        id_property: str | None = None,
        is_archived: bool = False,
    ) -> list[dict[str, Any]]:
        body: dict[str, Any] = {
            "properties": properties,
            "propertiesWithHistory": [],
            "inputs": [{"id": external_id} for external_id in ids],
        }
        if id_property:
            body["idProperty"] = id_property
        path = f"{self._client.objects_path(stream)}/batch/read"
        answer = self._client.post(path, body, is_write=False, params={"archived": "true"} if is_archived else None)
        return objects_in(answer.get("results"))

    def _change(self, stream: str, row: dict[str, Any], properties: list[str]) -> ReadChange:
        values = cast("dict[str, Any]", row.get("properties") or {})
        stamp = values.get(self._client.changed_property(stream)) or row.get("updatedAt")
        record = {"id": str(row["id"]), **{name: values.get(name) for name in properties}}
        payload = encode_payload(record)
        return ReadChange(
            stream=stream,
            external_id=str(row["id"]),
            version=version_of(payload, str(stamp) if stamp else None),
            source_at=parse_stamp(stamp),
            payload=payload,
        )


def merge_change(stream: str, loser: str, survivor: str, at: datetime | None) -> ReadChange:
    """A record that went into another; the same however we learn of it."""
    return ReadChange(
        stream=stream,
        external_id=loser,
        kind=ChangeKind.MERGE,
        version=f"merged.{survivor}",
        source_at=at,
        survivor_id=survivor,
    )


def _merges_into(stream: str, row: dict[str, Any]) -> list[ReadChange]:
    values = cast("dict[str, Any]", row.get("properties") or {})
    losers = [part.strip() for part in str(values.get(_MERGED) or "").split(";")]
    return [merge_change(stream, loser, str(row["id"]), None) for loser in losers if loser and loser != str(row["id"])]


def _archived_change(stream: str, row: dict[str, Any]) -> ReadChange:
    stamp = str(row.get("archivedAt") or row.get("updatedAt"))
    return ReadChange(
        stream=stream,
        external_id=str(row["id"]),
        kind=ChangeKind.DELETE,
        version=f"deleted.{stamp}",
        source_at=parse_stamp(stamp),
    )


def _after(answer: dict[str, Any]) -> str | None:
    paging = cast("dict[str, Any]", answer.get("paging") or {})
    following = cast("dict[str, Any]", paging.get("next") or {})
    return str(following["after"]) if following.get("after") is not None else None


def _milliseconds(moment: datetime | None) -> str:
    return str(int((moment or datetime.fromtimestamp(0, UTC)).timestamp() * 1000))
