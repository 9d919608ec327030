"""The words a REST system is described with."""

# ruff: noqa: S105 - `secret` holds the name of a secret, never a secret.

from typing import Any, Literal

from msgspec import Struct
from msgspec import field as value

from comity.connect.paging import NoPaging, Paging
from comity.connect.paths import places_in
from comity.connect.signatures import check_template
from comity.connect.types import ChangeKind, ConnectorSettings, Outcome, SettingsInvalid


class _Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every part of the settings refuses words it does not know."""


class _Kind(_Part, frozen=True, kw_only=True, tag_field="kind"):
    """Parts that come in kinds."""


class NoAuth(_Kind, frozen=True, kw_only=True, tag="none"):
    """The system asks for nothing."""


class BearerAuth(_Kind, frozen=True, kw_only=True, tag="bearer"):
    """`Authorization: Bearer ...` with the named secret."""

    secret: str = "token"


class BasicAuth(_Kind, frozen=True, kw_only=True, tag="basic"):
    """User name, and the named secret as password."""

    user: str
    secret: str = "password"


class ApiKeyAuth(_Kind, frozen=True, kw_only=True, tag="api_key"):
    """The named secret in a header or a query parameter."""

    header: str | None = None
    query: str | None = None
    prefix: str = ""
    secret: str = "api_key"


class OAuthAuth(_Kind, frozen=True, kw_only=True, tag="oauth"):
    """A token endpoint: client credentials, or a refresh token where `refresh_secret` names one."""

    token_url: str
    client_id: str
    secret: str = "client_secret"
    refresh_secret: str | None = None
    scope: str | None = None
    is_basic: bool = False


RestAuth = NoAuth | BearerAuth | BasicAuth | ApiKeyAuth | OAuthAuth


class ChangedAtCursor(_Kind, frozen=True, kw_only=True, tag="changed_at"):
    """`{cursor}` is the latest change time read, less an overlap; the stream must have `changed_at`."""

    start: str | None = None
    format: Literal["iso", "seconds", "milliseconds"] = "iso"
    overlap_seconds: int = 120


class TokenCursor(_Kind, frozen=True, kw_only=True, tag="token"):
    """`{cursor}` is what the system gave at `path` with the last page; where it expires, reading begins anew."""

    path: str
    expired_statuses: tuple[int, ...] = (410,)


class NoCursor(_Kind, frozen=True, kw_only=True, tag="none"):
    """The whole list is read every time; what did not change is not handed on (up to a few thousand records)."""


RestCursor = ChangedAtCursor | TokenCursor | NoCursor


class ListRequest(_Part, frozen=True, kw_only=True):
    """How a stream is read. `{cursor}` may stand in query and body; parts with it are left out on the first read."""

    path: str
    method: str = "GET"
    query: dict[str, str] = value(default_factory=dict)
    body: Any = None
    paging: Paging = value(default_factory=NoPaging)
    cursor: RestCursor = value(default_factory=NoCursor)


class FetchRequest(_Part, frozen=True, kw_only=True):
    """How records are read by id: one by one with `{id}`, or `max` at once with `{ids}` (comma) or `{id_list}`."""

    path: str
    method: str = "GET"
    query: dict[str, str] = value(default_factory=dict)
    body: Any = None
    records: str | None = None
    record: str = ""
    max: int = 1


class FindRequest(_Part, frozen=True, kw_only=True):
    """How records are found by a field: `{field}` and `{value}`."""

    path: str
    method: str = "GET"
    query: dict[str, str] = value(default_factory=dict)
    body: Any = None
    records: str | None = None


class WriteRequest(_Part, frozen=True, kw_only=True):
    """How one record is written, with `{fields}`, `{id}`, `{key}`, `{match_field}`, `{match_value}`.

    `id` is the path of the record's id in the answer. `created_statuses` tell a creation from an update.
    """

    path: str
    method: str = "POST"
    query: dict[str, str] = value(default_factory=dict)
    body: Any = "{fields}"
    id: str | None = None
    created_statuses: tuple[int, ...] = (201,)
    idempotency_header: str | None = None


class BatchRequest(_Part, frozen=True, kw_only=True):
    """How many records are written at once: `{items}` in the body, each made from `item`.

    `results` is the path of the list of results; `key` the path in a result that holds the item's `{key}`, without it
    results come in the order of the items. `ok` is a path that must be true (or, without it, no code is given).
    """

    path: str
    method: str = "POST"
    body: Any = value(default_factory=lambda: {"items": "{items}"})
    item: Any = value(default_factory=lambda: {"id": "{id}", "key": "{key}", "fields": "{fields}"})
    max: int = 100
    results: str = "results"
    key: str | None = None
    id: str = "id"
    ok: str | None = None
    created: str | None = None


class StreamSettings(_Part, frozen=True, kw_only=True):
    """One kind of record. Paths are dotted: `data.items[0].id`."""

    id: str = "id"
    records: str = ""
    changed_at: str | None = None
    version: str | None = None
    deleted: str | None = None
    merged_into: str | None = None
    fields: dict[str, str] = value(default_factory=dict)
    list: ListRequest | None = None
    fetch: FetchRequest | None = None
    find: FindRequest | None = None
    create: WriteRequest | None = None
    update: WriteRequest | None = None
    upsert: WriteRequest | None = None
    batch: BatchRequest | None = None
    nest_dots: bool = True


class ErrorSettings(_Part, frozen=True, kw_only=True):
    """Where errors are told, and what codes and statuses mean; a code comes before a status."""

    code: str | None = None
    message: str | None = None
    field: str | None = None
    existing_id: str | None = None
    codes: dict[str, Outcome] = value(default_factory=dict)
    statuses: dict[str, Outcome] = value(default_factory=dict)


class HmacSignature(_Kind, frozen=True, kw_only=True, tag="hmac"):
    """An HMAC over `template`, in `header`."""

    header: str
    secret: str = "webhook_secret"
    previous_secret: str | None = None
    template: str = "{body}"
    digest: Literal["sha256", "sha512", "sha1"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    timestamp_header: str | None = None
    tolerance_seconds: float = 300.0


class StandardSignature(_Kind, frozen=True, kw_only=True, tag="standard_webhooks"):
    """The Standard Webhooks convention."""

    secret: str = "webhook_secret"
    previous_secret: str | None = None
    tolerance_seconds: float = 300.0


class TokenSignature(_Kind, frozen=True, kw_only=True, tag="token"):
    """A shared token in a header, for systems that cannot sign; use it over TLS only."""

    header: str = "Authorization"
    prefix: str = "Bearer "
    secret: str = "webhook_secret"
    previous_secret: str | None = None


class WebhookSettings(_Part, frozen=True, kw_only=True):
    """What the system sends us.

    `events` is the path of a list of events, or empty for one event (or a list) as the body. In an event: `stream` is
    fixed, or read at `stream_path` and translated by `streams`; `id` the record's id; `record` the record itself,
    without it the record is fetched; `kind` is translated by `kinds`; `event_id` and `at` make a version for events
    without content; `survivor` names the record a merged one went into.
    """

    signature: HmacSignature | StandardSignature | TokenSignature
    events: str = ""
    stream: str | None = None
    stream_path: str | None = None
    streams: dict[str, str] = value(default_factory=dict)
    id: str = "id"
    record: str | None = None
    kind: str | None = None
    kinds: dict[str, ChangeKind] = value(default_factory=dict)
    event_id: str | None = None
    at: str | None = None
    survivor: str | None = None
    public_url: str | None = None


class RestSettings(ConnectorSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One system."""

    base_url: str
    streams: dict[str, StreamSettings]
    auth: RestAuth = value(default_factory=NoAuth)
    headers: dict[str, str] = value(default_factory=dict)
    errors: ErrorSettings = value(default_factory=ErrorSettings)
    webhook: WebhookSettings | None = None
    check_path: str | None = None
    version: str | None = None


def check_settings(settings: RestSettings) -> None:
    """Refuse what can be seen to be wrong before the first call. Raises `SettingsInvalid` naming the place."""
    if not settings.base_url.startswith(("https://", "http://")):
        raise SettingsInvalid("base_url begins with https:// or http://.")
    if not settings.streams:
        raise SettingsInvalid("streams: describe at least one stream.")
    for status in settings.errors.statuses:
        if not status.isdecimal():
            raise SettingsInvalid(f"errors.statuses: {status!r} is no HTTP status.")
    if isinstance(settings.auth, ApiKeyAuth) and (settings.auth.header is None) == (settings.auth.query is None):
        raise SettingsInvalid("auth: an api_key goes either in a header or in a query parameter; give one of them.")
    for name, stream in settings.streams.items():
        _check_stream(f"streams.{name}", stream)
    if settings.webhook is not None:
        _check_webhook(settings.webhook, set(settings.streams))


def _check_stream(place: str, stream: StreamSettings) -> None:
    if stream.list is not None:
        _check_places(f"{place}.list", stream.list.path, (stream.list.query, stream.list.body), {"cursor"})
        if isinstance(stream.list.cursor, ChangedAtCursor) and stream.changed_at is None:
            raise SettingsInvalid(f"{place}: a changed_at cursor needs changed_at, the path of the change time.")
    if stream.fetch is not None:
        known = {"id"} if stream.fetch.max == 1 else {"ids", "id_list"}
        _check_places(f"{place}.fetch", stream.fetch.path, (stream.fetch.query, stream.fetch.body), known)
        if stream.fetch.max > 1 and stream.fetch.records is None:
            raise SettingsInvalid(f"{place}.fetch: reading several at once needs records, the path of the list.")
    if stream.find is not None:
        _check_places(f"{place}.find", stream.find.path, (stream.find.query, stream.find.body), {"field", "value"})
    known = {"fields", "key", "idempotency_key", "match_field", "match_value"}
    for name, request, extra in (
        ("create", stream.create, set[str]()),
        ("update", stream.update, {"id"}),
        ("upsert", stream.upsert, set[str]()),
    ):
        if request is not None:
            _check_places(f"{place}.{name}", request.path, (request.query, request.body), known | extra)
    if stream.batch is not None:
        _check_places(f"{place}.batch", stream.batch.path, stream.batch.body, {"items"})
        _check_places(f"{place}.batch.item", "/", stream.batch.item, known | {"id"})
    if stream.update is not None and "id" not in places_in([stream.update.path, stream.update.body]):
        raise SettingsInvalid(f"{place}.update: path or body must say which record, with {{id}}.")


def _check_webhook(webhook: WebhookSettings, streams: set[str]) -> None:
    if (webhook.stream is None) == (webhook.stream_path is None):
        raise SettingsInvalid("webhook: give either stream or stream_path.")
    for stream in {webhook.stream, *webhook.streams.values()} - {None}:
        if stream not in streams:
            raise SettingsInvalid(f"webhook: there is no stream {stream}; known are {', '.join(sorted(streams))}.")
    if isinstance(webhook.signature, HmacSignature):
        check_template(webhook.signature.template)
        if "{timestamp}" in webhook.signature.template and webhook.signature.timestamp_header is None:
            raise SettingsInvalid("webhook.signature: the template uses {timestamp}; name its timestamp_header.")
    if ChangeKind.MERGE in webhook.kinds.values() and webhook.survivor is None:
        raise SettingsInvalid("webhook: kinds has merge, so survivor must say where the surviving id is.")


def _check_places(place: str, path: str, rest: Any, known: set[str]) -> None:
    parts = list(rest) if isinstance(rest, tuple) else [rest]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - templates are JSON.
    unknown = sorted(places_in([path, *parts]) - known)
    if unknown:
        names = ", ".join(f"{{{name}}}" for name in sorted(known))
        raise SettingsInvalid(f"{place}: {{{unknown[0]}}} is not known here. Known are {names}.")
