"""The Salesforce connector."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

from comity.connect.signatures import check_token
from comity.connect.types import (
    Capabilities,
    CheckResult,
    Connector,
    ConnectorContext,
    ConnectorSpec,
    FieldWanted,
    Hint,
    HookMalformed,
    HookRequest,
    Limit,
    Page,
    ReadChange,
    SettingsInvalid,
    StreamSchema,
    Verdict,
    WriteItem,
)
from comity.connectors.salesforce import schema
from comity.connectors.salesforce.client import SalesforceClient, SalesforceSettings
from comity.connectors.salesforce.reading import Reader
from comity.connectors.salesforce.writing import BATCH_MAX, Writer

WEBHOOK_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["stream", "ids"],
    "properties": {
        "stream": {"type": "string", "description": "The object, such as Contact."},
        "ids": {"type": "array", "items": {"type": "string"}, "maxItems": 2000},
    },
}


class _Notice(Struct, frozen=True, kw_only=True):
    stream: str
    ids: list[str]


class SalesforceConnector(Connector):
    """One Salesforce organisation."""

    name: ClassVar[str] = "salesforce"

    def __init__(self, context: ConnectorContext) -> None:
        """Open the organisation; calls nothing. Raises `SettingsInvalid`."""
        self._client = SalesforceClient(context)
        self._reader = Reader(self._client)
        self._writer = Writer(self._client)
        self._webhook_token = context.secrets.get("webhook_token", "")

    def check(self) -> CheckResult:
        """Log in, read the limits, look for our external-id field."""
        return schema.check(self._client)

    def discover(self, stream: str) -> StreamSchema:
        """Describe an object."""
        return schema.discover(self._client, stream)

    def read(
        self, stream: str, cursor: str | None, *, fields: Sequence[str] = (), limit_pages: int = 100
    ) -> Iterator[Page]:
        """Poll by (SystemModstamp, Id) with overlap; deletions and merges come with the last page."""
        return self._reader.read(stream, cursor, fields=fields, limit_pages=limit_pages)

    def fetch(self, stream: str, ids: Sequence[str], *, fields: Sequence[str] = ()) -> list[ReadChange]:
        """Read records by id."""
        return self._reader.fetch(stream, ids, fields=fields)

    def find(
        self, stream: str, key_field: str, values: Sequence[str], *, fields: Sequence[str] = ()
    ) -> list[ReadChange]:
        """Find records by a field."""
        return self._reader.find(stream, key_field, values, fields=fields)

    def write(self, stream: str, batch: Sequence[WriteItem]) -> list[Verdict]:
        """Update by id, upsert by the external-id field, or create."""
        return self._writer.write(stream, batch)

    def receive(self, request: HookRequest) -> list[ReadChange | Hint]:
        """Take the notice of a flow or trigger in the organisation: `{"stream": "Contact", "ids": [...]}`.

        A flow cannot sign, so it shows a bearer token kept in a named credential; nothing but ids is believed.
        """
        if not self._webhook_token:
            raise SettingsInvalid("Set the secret `webhook_token` to receive notices from Salesforce.")
        check_token(request, tokens=[self._webhook_token], header="Authorization", prefix="Bearer ")
        try:
            notice = msgspec.json.decode(request.body, type=_Notice)
        except msgspec.DecodeError as error:
            raise HookMalformed(f"Expected a stream and ids: {error}") from error
        return [Hint(stream=notice.stream, external_ids=tuple(notice.ids))]

    def provision(self, fields: Sequence[FieldWanted]) -> list[str]:
        """Create custom fields that are missing."""
        return schema.provision(self._client, fields)

    def limits(self) -> list[Limit]:
        """The organisation's limits."""
        return schema.limits(self._client)


SPEC = ConnectorSpec(
    name="salesforce",
    title="Salesforce",
    settings=SalesforceSettings,
    secrets_optional=("token", "client_id", "client_secret", "refresh_token", "webhook_token"),
    capabilities=Capabilities(
        native_upsert=True,
        batch_write_max=BATCH_MAX,
        fetch_max=2_000,
        can_find=True,
        can_read_deleted=True,
        can_provision=True,
        has_webhooks=True,
        tells_created=True,
        origin_marker="Sforce-Call-Options",
    ),
    build=SalesforceConnector,
    webhook_schema=WEBHOOK_SCHEMA,
    provision_note="Nobody sees a new field at first: let the integration user see and edit it (field-level security).",
)
