"""What an account's object types look like, whether we can work with them, and the properties we add."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, cast

from comity.connect.http import objects_in
from comity.connect.types import CallFailed, CheckResult, ErrorClass, FieldWanted, Missing, StreamField, StreamSchema
from comity.connect.versions import encode_payload
from comity.connectors.hubspot.client import HubSpotClient

_TYPES = {
    "integer": ("number", "number"),
    "money": ("number", "number"),
    "date": ("date", "date"),
    "timestamp": ("datetime", "date"),
    "boolean": ("bool", "booleancheckbox"),
}
_BOOLEAN_OPTIONS = [
    {"label": "Yes", "value": "true", "displayOrder": 0, "hidden": False},
    {"label": "No", "value": "false", "displayOrder": 1, "hidden": False},
]
_REMEDIES = {
    ErrorClass.AUTH_EXPIRED: "Give a valid token; private app tokens and service keys begin with pat-.",
    ErrorClass.FORBIDDEN: "Give the app the scopes crm.objects.contacts.read and .write and crm.schemas.contacts.read.",
    ErrorClass.TRANSIENT: "See whether base_url, ca_file and proxy are right and the host can be reached.",
    ErrorClass.NOT_FOUND: "See whether the object type exists and whether api_version is one HubSpot offers.",
}


def check(client: HubSpotClient) -> CheckResult:
    """Log in and look for our unique property on the object types that carry it."""
    started = client.clock.monotonic()
    missing: list[Missing] = []
    latency_ms = 0.0
    try:
        for stream in client.settings.check_streams:
            missing += _missing_in(client, stream)
            latency_ms = latency_ms or (client.clock.monotonic() - started) * 1000
    except CallFailed as failure:
        remedy = _REMEDIES.get(failure.error_class, "See the message; try again later.")
        missing.append(Missing(what=failure.message, remedy=remedy))
    return CheckResult(
        is_ok=not missing,
        latency_ms=latency_ms,
        version=client.settings.api_version,
        account=client.settings.base_url,
        missing=tuple(missing),
    )


def discover(client: HubSpotClient, stream: str) -> StreamSchema:
    """Describe an object type."""
    described = client.get(client.path("properties", stream))
    rows = [row for row in objects_in(described.get("results")) if not row.get("archived")]
    fields = tuple(sorted((_field(row) for row in rows), key=lambda f: f.name))
    return StreamSchema(stream=stream, fields=fields, fingerprint=sha256(encode_payload(fields)).hexdigest()[:16])


def provision(client: HubSpotClient, fields: Sequence[FieldWanted]) -> list[str]:
    """Create properties that are missing. `hasUniqueValue` cannot be changed later, so it is set from the start."""
    created: list[str] = []
    known: dict[str, set[str]] = {}
    for field in fields:
        if field.stream not in known:
            known[field.stream] = {f.name for f in discover(client, field.stream).fields}
        if field.name in known[field.stream]:
            continue
        try:
            client.post(client.path("properties", field.stream), _property(client, field), is_write=True)
        except CallFailed as failure:
            if failure.error_class not in {ErrorClass.CONFLICT, ErrorClass.DUPLICATE}:
                raise
            continue
        created.append(field.name)
    return created


def _missing_in(client: HubSpotClient, stream: str) -> list[Missing]:
    wanted = client.settings.unique_property
    described = discover(client, stream)
    field = next((f for f in described.fields if f.name == wanted), None)
    if field is None:
        remedy = f"Create {wanted} on {stream} with unique values, or have `comity systems provision` do it."
        return [Missing(what=f"{stream}.{wanted}", remedy=remedy)]
    if not field.is_unique:
        what = f"{stream}.{wanted} does not require unique values"
        return [Missing(what=what, remedy="Create a new property with unique values; this cannot be changed later.")]
    return []


def _field(row: dict[str, Any]) -> StreamField:
    modification = cast("dict[str, Any]", row.get("modificationMetadata") or {})
    choices = [option for option in objects_in(row.get("options")) if not option.get("hidden")]
    return StreamField(
        name=str(row["name"]),
        type=str(row.get("type", "")),
        label=str(row.get("label") or ""),
        is_writable=not (modification.get("readOnlyValue") or row.get("calculated")),
        is_unique=bool(row.get("hasUniqueValue")),
        choices=tuple(str(option.get("value")) for option in choices),
    )


def _property(client: HubSpotClient, field: FieldWanted) -> dict[str, Any]:
    kind, field_type = _TYPES.get(field.type, ("string", "text"))
    group = client.settings.property_group if field.stream == "contacts" else f"{field.stream.rstrip('s')}information"
    if field.stream == "companies":
        group = "companyinformation"
    body: dict[str, Any] = {
        "name": field.name,
        "label": field.label,
        "type": kind,
        "fieldType": field_type,
        "groupName": group,
        "hasUniqueValue": field.is_unique,
    }
    return body | ({"options": _BOOLEAN_OPTIONS} if kind == "bool" else {})
