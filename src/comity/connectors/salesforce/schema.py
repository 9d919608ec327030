"""What an organisation's objects look like, whether we can work with them, and the fields we add."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, cast

from comity.connect.http import objects_in
from comity.connect.types import (
    CallFailed,
    CheckResult,
    ErrorClass,
    FieldWanted,
    Limit,
    Missing,
    StreamField,
    StreamSchema,
)
from comity.connect.versions import encode_payload
from comity.connectors.salesforce import soql
from comity.connectors.salesforce.client import SalesforceClient

DAY_SECONDS = 86_400
_REMEDIES = {
    ErrorClass.AUTH_EXPIRED: "Give a valid token or client secret; the app needs a run-as user for client credentials.",
    ErrorClass.FORBIDDEN: "Give the integration user API access and read access to the object.",
    ErrorClass.TRANSIENT: "See whether instance_url, ca_file and proxy are right and the host can be reached.",
    ErrorClass.NOT_FOUND: "See whether the object exists and whether api_version is one the organisation offers.",
}
_METADATA: dict[str, dict[str, Any]] = {
    "integer": {"type": "Number", "precision": 18, "scale": 0},
    "money": {"type": "Number", "precision": 18, "scale": 2},
    "date": {"type": "Date"},
    "timestamp": {"type": "DateTime"},
    "boolean": {"type": "Checkbox", "defaultValue": "false"},
}


def check(client: SalesforceClient) -> CheckResult:
    """Log in, read the limits, and look for our external-id field on the objects that carry it."""
    started = client.clock.monotonic()
    missing: list[Missing] = []
    latency_ms = 0.0
    try:
        client.get("/limits")
        latency_ms = (client.clock.monotonic() - started) * 1000
        for stream in client.settings.check_streams:
            missing += _missing_in(client, stream)
    except CallFailed as failure:
        remedy = _REMEDIES.get(failure.error_class, "See the message; try again later.")
        missing.append(Missing(what=failure.message, remedy=remedy))
    return CheckResult(
        is_ok=not missing,
        latency_ms=latency_ms,
        version=f"v{client.settings.api_version}",
        account=client.settings.instance_url,
        missing=tuple(missing),
    )


def discover(client: SalesforceClient, stream: str) -> StreamSchema:
    """Describe an object."""
    described = client.get(f"/sobjects/{soql.name(stream)}/describe")
    fields = tuple(sorted((_field(f) for f in objects_in(described.get("fields"))), key=lambda f: f.name))
    return StreamSchema(stream=stream, fields=fields, fingerprint=sha256(encode_payload(fields)).hexdigest()[:16])


def provision(client: SalesforceClient, fields: Sequence[FieldWanted]) -> list[str]:
    """Create custom fields over the Tooling API. Field-level security is granted by the organisation's admin."""
    created: list[str] = []
    known: dict[str, set[str]] = {}
    for field in fields:
        if field.stream not in known:
            known[field.stream] = {f.name for f in discover(client, field.stream).fields}
        if field.name in known[field.stream]:
            continue
        body = {"FullName": f"{soql.name(field.stream)}.{soql.name(field.name)}", "Metadata": _metadata(field)}
        try:
            client.caller.call("POST", f"{client.data_path}/tooling/sobjects/CustomField", json=body)
        except CallFailed as failure:
            if failure.reason_code not in {"DUPLICATE_DEVELOPER_NAME", "DUPLICATE_VALUE"}:
                raise
            continue
        created.append(field.name)
    return created


def limits(client: SalesforceClient) -> list[Limit]:
    """The organisation's limits, as its limits resource tells them."""
    found: list[Limit] = []
    for name, value in client.get("/limits").items():
        pair = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        if isinstance(pair.get("Max"), int):
            window_seconds = DAY_SECONDS if name.startswith("Daily") else None
            limit = Limit(
                name=name, maximum=pair["Max"], remaining=pair.get("Remaining"), window_seconds=window_seconds
            )
            found.append(limit)
    return found


def _missing_in(client: SalesforceClient, stream: str) -> list[Missing]:
    wanted = client.settings.external_id_field
    field = next((f for f in discover(client, stream).fields if f.name == wanted), None)
    if field is None:
        remedy = (
            f"Create {wanted} on {stream} (text 64, external id, unique), or have `comity systems provision` do it, "
            "and let the integration user see and edit it."
        )
        return [Missing(what=f"{stream}.{wanted}", remedy=remedy)]
    if not field.is_unique:
        what = f"{stream}.{wanted} is no external id"
        return [Missing(what=what, remedy="Mark the field as external id and unique in its definition.")]
    return []


def _field(described: dict[str, Any]) -> StreamField:
    choices = objects_in(described.get("picklistValues"))
    is_writable = bool(described.get("createable")) or bool(described.get("updateable"))
    is_required = described.get("nillable") is False and not described.get("defaultedOnCreate")
    return StreamField(
        name=str(described["name"]),
        type=str(described.get("type", "")),
        label=str(described.get("label") or ""),
        is_writable=is_writable,
        is_required=is_required and bool(described.get("createable")),
        is_unique=bool(described.get("externalId")) or bool(described.get("idLookup")),
        length_max=described.get("length") or None,
        choices=tuple(str(choice.get("value")) for choice in choices if choice.get("active", True)),
    )


def _metadata(field: FieldWanted) -> dict[str, Any]:
    metadata = _METADATA.get(field.type)
    if metadata is None:
        metadata = {"type": "Text", "length": min(field.length_max, 255)}
        if field.is_unique:
            metadata |= {"externalId": True, "unique": True, "caseSensitive": True}
    return {"label": field.label, **metadata}
