"""The generic REST connector."""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any, ClassVar, cast

from comity.connect.types import (
    CallFailed,
    Capabilities,
    CheckResult,
    Connector,
    ConnectorContext,
    ConnectorSpec,
    Hint,
    HookRequest,
    Missing,
    Page,
    ReadChange,
    StreamField,
    StreamSchema,
    Verdict,
    WriteItem,
)
from comity.connect.versions import encode_payload
from comity.connectors.rest import hooks
from comity.connectors.rest.client import RestClient, secret
from comity.connectors.rest.reading import Reader
from comity.connectors.rest.settings import RestSettings
from comity.connectors.rest.writing import Writer


class RestConnector(Connector):
    """One system described in its definition."""

    name: ClassVar[str] = "rest"

    def __init__(self, context: ConnectorContext) -> None:
        """Check the description; calls nothing. Raises `SettingsInvalid`."""
        self._client = RestClient(context)
        webhook = self._client.settings.webhook
        if webhook is not None:
            secret(context.secrets, webhook.signature.secret, "webhook.signature")
        self._reader = Reader(self._client)
        self._writer = Writer(self._client)

    def check(self) -> CheckResult:
        """Call `check_path`, or read a first page."""
        settings, clock = self._client.settings, self._client.clock
        started = clock.monotonic()
        missing: list[Missing] = []
        try:
            if settings.check_path is not None:
                self._client.caller.call("GET", settings.check_path)
            else:
                listed = next((name for name, stream in settings.streams.items() if stream.list), None)
                if listed is not None:
                    self._reader.sample(listed)
        except CallFailed as failure:
            remedy = "Compare base_url, auth and the path with the system's documentation."
            missing.append(Missing(what=failure.message, remedy=remedy))
        return CheckResult(
            is_ok=not missing,
            latency_ms=(clock.monotonic() - started) * 1000,
            version=settings.version,
            account=settings.base_url,
            missing=tuple(missing),
        )

    def discover(self, stream: str) -> StreamSchema:
        """The declared fields, or what a first page of records shows."""
        declared = self._client.stream(stream).fields
        kinds = dict(declared) if declared else _kinds_in(self._reader.sample(stream))
        fields = tuple(StreamField(name=name, type=kind) for name, kind in sorted(kinds.items()))
        return StreamSchema(stream=stream, fields=fields, fingerprint=sha256(encode_payload(fields)).hexdigest()[:16])

    def read(
        self, stream: str, cursor: str | None, *, fields: Sequence[str] = (), limit_pages: int = 100
    ) -> Iterator[Page]:
        """Read pages as `list` describes; records always come whole."""
        del fields
        return self._reader.read(stream, cursor, limit_pages=limit_pages)

    def fetch(self, stream: str, ids: Sequence[str], *, fields: Sequence[str] = ()) -> list[ReadChange]:
        """Read records by id as `fetch` describes."""
        del fields
        return self._reader.fetch(stream, ids)

    def find(
        self, stream: str, key_field: str, values: Sequence[str], *, fields: Sequence[str] = ()
    ) -> list[ReadChange]:
        """Find records as `find` describes."""
        del fields
        return self._reader.find(stream, key_field, values)

    def write(self, stream: str, batch: Sequence[WriteItem]) -> list[Verdict]:
        """Write as `batch`, `update`, `upsert` and `create` describe."""
        return self._writer.write(stream, batch)

    def receive(self, request: HookRequest) -> list[ReadChange | Hint]:
        """Verify and translate a webhook as `webhook` describes."""
        return hooks.receive(self._client, request)


def _kinds_in(records: list[dict[str, Any]]) -> dict[str, str]:
    """The JSON type of each field, dotted; a field that was null everywhere is of type null."""
    kinds: dict[str, str] = {}
    for record in records:
        for name, value in _leaves("", record):
            if kinds.get(name, "null") == "null":
                kinds[name] = _kind(value)
    return kinds


def _leaves(prefix: str, record: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _leaves(f"{prefix}{name}.", cast("dict[str, Any]", value))
        else:
            yield f"{prefix}{name}", value


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    kinds: list[tuple[type, str]] = [(bool, "boolean"), (int, "integer"), (float, "number"), (str, "string")]
    return next((name for kind, name in kinds if isinstance(value, kind)), "array")


SPEC = ConnectorSpec(
    name="rest",
    title="REST and webhooks",
    settings=RestSettings,
    secrets_optional=("*",),
    capabilities=Capabilities(
        native_upsert=True,
        batch_write_max=100,
        fetch_max=100,
        can_find=True,
        can_read_deleted=True,
        has_webhooks=True,
        tells_created=True,
    ),
    build=RestConnector,
)
