"""The HubSpot connector."""

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from comity.connect.types import (
    Capabilities,
    CheckResult,
    Connector,
    ConnectorContext,
    ConnectorSpec,
    FieldWanted,
    Hint,
    HookRequest,
    Page,
    ReadChange,
    StreamSchema,
    Subscription,
    Verdict,
    WriteItem,
)
from comity.connectors.hubspot import hooks, schema
from comity.connectors.hubspot.client import HubSpotClient, HubSpotSettings
from comity.connectors.hubspot.reading import BATCH_MAX as FETCH_MAX
from comity.connectors.hubspot.reading import Reader
from comity.connectors.hubspot.writing import BATCH_MAX, Writer


class HubSpotConnector(Connector):
    """One HubSpot account."""

    name: ClassVar[str] = "hubspot"

    def __init__(self, context: ConnectorContext) -> None:
        """Open the account; calls nothing. Raises `SettingsInvalid`."""
        self._client = HubSpotClient(context)
        self._reader = Reader(self._client)
        self._writer = Writer(self._client)

    def check(self) -> CheckResult:
        """Log in and look for our unique property."""
        return schema.check(self._client)

    def discover(self, stream: str) -> StreamSchema:
        """Describe an object type."""
        return schema.discover(self._client, stream)

    def read(
        self, stream: str, cursor: str | None, *, fields: Sequence[str] = (), limit_pages: int = 100
    ) -> Iterator[Page]:
        """Poll the search index in windows; newly archived records come with the last page when due."""
        return self._reader.read(stream, cursor, fields=fields, limit_pages=limit_pages)

    def fetch(self, stream: str, ids: Sequence[str], *, fields: Sequence[str] = ()) -> list[ReadChange]:
        """Read records by id."""
        return self._reader.fetch(stream, ids, fields=fields)

    def find(
        self, stream: str, key_field: str, values: Sequence[str], *, fields: Sequence[str] = ()
    ) -> list[ReadChange]:
        """Find records by a property."""
        return self._reader.find(stream, key_field, values, fields=fields)

    def write(self, stream: str, batch: Sequence[WriteItem]) -> list[Verdict]:
        """Update by id, upsert by a unique property, or create."""
        return self._writer.write(stream, batch)

    def receive(self, request: HookRequest) -> list[ReadChange | Hint]:
        """Verify and translate a webhook."""
        return hooks.receive(self._client, request)

    def subscribe(self, target_url: str, *, fields: Mapping[str, Sequence[str]]) -> Subscription:
        """Subscribe the app to changes of these object types and properties."""
        return hooks.subscribe(self._client, target_url, fields=fields)

    def provision(self, fields: Sequence[FieldWanted]) -> list[str]:
        """Create properties that are missing."""
        return schema.provision(self._client, fields)


SPEC = ConnectorSpec(
    name="hubspot",
    title="HubSpot",
    settings=HubSpotSettings,
    secrets_optional=("token", "client_id", "client_secret", "refresh_token", "developer_api_key"),
    capabilities=Capabilities(
        native_upsert=True,
        batch_write_max=BATCH_MAX,
        fetch_max=FETCH_MAX,
        can_find=True,
        can_read_deleted=True,
        can_provision=True,
        has_webhooks=True,
        can_subscribe=True,
        tells_created=True,
        read_lag_seconds=60.0,
    ),
    build=HubSpotConnector,
    webhook_schema=hooks.WEBHOOK_SCHEMA,
)
