"""Routes that tell and change the schema, and the limits."""

import re
from typing import Any

from comity.sandbox.salesforce.catalogue import ObjectType
from comity.sandbox.salesforce.errors import RowFault, refuse, refuse_unknown
from comity.sandbox.salesforce.fields import Field, FieldType
from comity.sandbox.salesforce.organisation import Organisation
from comity.sandbox.salesforce.routes_records import base_path, read_body
from comity.sandbox.wire import JsonObject, Request, Response, Routes, answer, as_list, as_object

VERSIONS = tuple(
    (f"{season} '{year}", f"{number}.0")
    for number, season, year in (
        (60, "Spring", 24), (61, "Summer", 24), (62, "Winter", 25), (63, "Spring", 25), (64, "Summer", 25),
        (65, "Winter", 26), (66, "Spring", 26), (67, "Summer", 26), (68, "Winter", 27),
    )
)  # fmt: skip

_TYPES: dict[str, FieldType] = {
    "Text": "string", "Email": "email", "Phone": "phone", "Url": "url", "Number": "double", "Currency": "currency",
    "Date": "date", "DateTime": "datetime", "Checkbox": "boolean", "Picklist": "picklist", "Lookup": "reference",
    "TextArea": "textarea", "LongTextArea": "textarea",
}  # fmt: skip
_NAME = re.compile(r"([A-Za-z_]\w*)\.([A-Za-z]\w*__c)")
_KEY_TYPES = {"Text", "Number", "Email"}


class SchemaRoutes:
    """Handlers for versions, describe and the creation of custom fields."""

    def __init__(self, *, organisation: Organisation) -> None:
        """Serve this organisation."""
        self._organisation = organisation

    def register(self, routes: Routes) -> None:
        """Add the routes that need a session."""
        base = "/services/data/{version}"
        routes.add("GET", base, self.list_resources)
        routes.add("GET", base + "/sobjects", self.describe_global)
        routes.add("GET", base + "/sobjects/{object}", self.describe_short)
        routes.add("GET", base + "/sobjects/{object}/describe", self.describe)
        routes.add("POST", base + "/tooling/sobjects/CustomField", self.create_field)

    def list_versions(self, _request: Request) -> Response:
        """List the versions of the API."""
        return answer(
            200,
            [{"label": label, "url": f"/services/data/v{number}", "version": number} for label, number in VERSIONS],
        )

    def list_resources(self, request: Request) -> Response:
        """List the resources of a version."""
        base = base_path(request)
        names = ("sobjects", "query", "queryAll", "composite", "limits", "tooling")
        return answer(200, {name: f"{base}/{name}" for name in names})

    def describe_global(self, request: Request) -> Response:
        """List the objects."""
        base = base_path(request)
        objects = [_summary(table.kind, base) for table in self._organisation.tables.values()]
        return answer(200, {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": objects})

    def describe_short(self, request: Request) -> Response:
        """Tell an object without its fields."""
        table = self._organisation.table(request.params["object"])
        return answer(200, {"objectDescribe": _summary(table.kind, base_path(request)), "recentItems": []})

    def describe(self, request: Request) -> Response:
        """Tell an object and its fields."""
        kind = self._organisation.table(request.params["object"]).kind
        fields = [field.describe() for field in kind.fields.values()]
        return answer(200, {**_summary(kind, base_path(request)), "fields": fields, "childRelationships": []})

    def create_field(self, request: Request) -> Response:
        """Create a custom field from its metadata."""
        body = read_body(request)
        metadata = as_object(body.get("Metadata")) or {}
        match = _NAME.fullmatch(str(body.get("FullName", "")))
        if not match:
            raise refuse(400, "FIELD_INTEGRITY_EXCEPTION", "FullName must be Object.Field__c", ["FullName"])
        table = self._organisation.tables.get(match[1].lower())
        if table is None:
            raise refuse(
                400, "FIELD_INTEGRITY_EXCEPTION", f"Entity Enumeration Or ID: bad value {match[1]}", ["FullName"]
            )
        if table.kind.find(match[2]):
            message = f"There is already a field named {match[2].removesuffix('__c')} on {table.kind.name}."
            raise refuse(400, "DUPLICATE_DEVELOPER_NAME", message, ["DeveloperName"])
        field = build_field(match[2], metadata)
        table.kind.add(field)
        table.index(field)
        return answer(
            201, {"id": self._organisation.next_id("00N"), "success": True, "errors": [], "warnings": [], "infos": []}
        )


def build_field(name: str, metadata: JsonObject) -> Field:
    """Build a custom field from the metadata of a CustomField. Raises the vendor's error for what does not fit."""
    kind = str(metadata.get("type", ""))
    label = metadata.get("label")
    if kind not in _TYPES:
        if kind:
            raise refuse_unknown(f"custom fields of the type {kind}")
        raise RowFault("REQUIRED_FIELD_MISSING", "Required fields are missing: [type]", fields=["type"])
    if not isinstance(label, str) or not label:
        raise RowFault("REQUIRED_FIELD_MISSING", "Required fields are missing: [label]", fields=["label"])
    is_key, is_unique = metadata.get("externalId") is True, metadata.get("unique") is True
    if (is_key or is_unique) and kind not in _KEY_TYPES:
        raise RowFault("INVALID_FIELD", f"Can not specify 'externalId' or 'unique' for a CustomField of type {kind}")
    length, precision, scale = (_number(metadata, key) for key in ("length", "precision", "scale"))
    if kind == "Text" and not 1 <= length <= 255:
        raise RowFault("FIELD_INTEGRITY_EXCEPTION", "Text fields need a length of 1 to 255", fields=["length"])
    if kind in {"Number", "Currency"} and not (1 <= precision <= 18 and 0 <= scale <= precision):
        raise RowFault("FIELD_INTEGRITY_EXCEPTION", "Number fields need precision and scale", fields=["precision"])
    if kind == "Checkbox" and "defaultValue" not in metadata:
        raise RowFault("FIELD_INTEGRITY_EXCEPTION", "Must specify 'defaultValue' for a CustomField of type Checkbox")
    lengths = {"Email": 80, "Phone": 40, "Url": 255, "Picklist": 255, "TextArea": 255, "Lookup": 18}
    return Field(
        name=name,
        label=label,
        type=_TYPES[kind],
        length=length if kind in {"Text", "LongTextArea"} else lengths.get(kind, 0),
        precision=precision,
        scale=scale,
        nillable=metadata.get("required") is not True and kind != "Checkbox",
        custom=True,
        external_id=is_key,
        unique=is_unique,
        case_sensitive=metadata.get("caseSensitive") is True,
        id_lookup=is_key,
        defaulted=kind == "Checkbox",
        restricted=bool(_values(metadata)) and (as_object(metadata.get("valueSet")) or {}).get("restricted") is True,
        values=_values(metadata),
        reference_to=(str(metadata.get("referenceTo")),) if kind == "Lookup" else (),
    )


def _number(metadata: JsonObject, key: str) -> int:
    value: Any = metadata.get(key, 0)
    return value if isinstance(value, int) else 0


def _values(metadata: JsonObject) -> tuple[str, ...]:
    value_set = as_object(metadata.get("valueSet")) or {}
    definition = as_object(value_set.get("valueSetDefinition")) or {}
    items = [as_object(item) or {} for item in as_list(definition.get("value")) or []]
    return tuple(str(item.get("fullName") or item.get("label")) for item in items)


def _summary(kind: ObjectType, base: str) -> JsonObject:
    url = f"{base}/sobjects/{kind.name}"
    return {
        "name": kind.name,
        "label": kind.label,
        "labelPlural": kind.label + "s",
        "keyPrefix": kind.prefix,
        "custom": kind.is_custom,
        "createable": True,
        "updateable": True,
        "deletable": True,
        "undeletable": True,
        "queryable": True,
        "replicateable": True,
        "retrieveable": True,
        "urls": {"sobject": url, "describe": f"{url}/describe", "rowTemplate": f"{url}/{{ID}}"},
    }
