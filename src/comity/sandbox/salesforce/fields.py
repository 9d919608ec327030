"""Fields: their properties and the checks a value passes when it is written."""

import math
import re
from datetime import UTC, date, datetime
from typing import Any, Literal

import msgspec

from comity.sandbox.salesforce.errors import RowFault
from comity.sandbox.salesforce.identifiers import normalise_id
from comity.sandbox.wire import JsonObject

FieldType = Literal[
    "id", "string", "textarea", "email", "phone", "url", "picklist", "boolean", "double", "int", "currency", "date",
    "datetime", "reference", "address",
]  # fmt: skip

TEXT_TYPES = frozenset({"id", "string", "textarea", "email", "phone", "url", "picklist", "reference"})
NUMBER_TYPES = frozenset({"double", "int", "currency"})

_EMAIL = re.compile(r"[^@\s,;:\"()<>\[\]\\]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\.[A-Za-z0-9-]{2,}")
_DATE_YEAR_MIN = 1700
_DATE_YEAR_MAX = 4000

_SOAP_TYPES = {
    "id": "tns:ID", "reference": "tns:ID", "boolean": "xsd:boolean", "double": "xsd:double", "currency": "xsd:double",
    "int": "xsd:int", "date": "xsd:date", "datetime": "xsd:dateTime", "address": "urn:address",
}  # fmt: skip


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One field of an object, with the properties describe tells."""

    name: str
    label: str
    type: FieldType
    length: int = 0
    precision: int = 0
    scale: int = 0
    nillable: bool = True
    createable: bool = True
    updateable: bool = True
    custom: bool = False
    external_id: bool = False
    unique: bool = False
    case_sensitive: bool = False
    id_lookup: bool = False
    defaulted: bool = False
    restricted: bool = False
    values: tuple[str, ...] = ()
    reference_to: tuple[str, ...] = ()

    @property
    def is_required(self) -> bool:
        """True when an insert needs a value."""
        return not self.nillable and self.createable and not self.defaulted

    @property
    def is_indexed(self) -> bool:
        """True when records are looked up by this field."""
        return self.external_id or self.unique or self.id_lookup

    def key(self, value: Any) -> str:
        """Return the form in which two values of this field are the same."""
        text = f"{value:g}" if isinstance(value, float) else str(value)
        return text if self.case_sensitive else text.casefold()

    def describe(self) -> JsonObject:
        """Return the field as describe tells it."""
        return {
            "name": self.name,
            "label": self.label,
            "type": self.type,
            "soapType": _SOAP_TYPES.get(self.type, "xsd:string"),
            "length": self.length,
            "byteLength": self.length * 3,
            "digits": self.precision if self.type == "int" else 0,
            "precision": self.precision,
            "scale": self.scale,
            "nillable": self.nillable,
            "createable": self.createable,
            "updateable": self.updateable,
            "custom": self.custom,
            "externalId": self.external_id,
            "unique": self.unique,
            "caseSensitive": self.case_sensitive,
            "idLookup": self.id_lookup or self.external_id or self.type == "id",
            "defaultedOnCreate": self.defaulted,
            "restrictedPicklist": self.restricted,
            "picklistValues": [
                {"value": value, "label": value, "active": True, "defaultValue": False, "validFor": None}
                for value in self.values
            ],
            "referenceTo": list(self.reference_to),
            "relationshipName": self.name.removesuffix("Id") if self.reference_to else None,
            "filterable": self.type not in {"textarea", "address"},
            "sortable": self.type not in {"textarea", "address"},
            "calculated": False,
            "deprecatedAndHidden": False,
        }


def format_stamp(moment: datetime) -> str:
    """Return a time as the vendor writes it: UTC, whole seconds, `+0000`. Such texts sort as times do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def parse_stamp(text: str) -> str | None:
    """Return an ISO time with a zone in the stored form, or None."""
    try:
        moment = datetime.fromisoformat(text)
        return format_stamp(moment) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def coerce(field: Field, value: Any) -> Any:
    """Return the value as it is stored. Raises RowFault with the vendor's code when the field refuses it."""
    if value is None:
        if field.type == "boolean":
            message = f"Value for a boolean field cannot be null: {field.name}"
            raise RowFault("INVALID_TYPE_ON_FIELD_IN_RECORD", message, fields=[field.name])
        return None
    if field.type in TEXT_TYPES:
        return _coerce_text(field, value)
    if field.type == "boolean":
        return _coerce_boolean(field, value)
    if field.type in NUMBER_TYPES:
        return _coerce_number(field, value)
    return _coerce_time(field, value)


def _cannot_read(kind: str, value: Any) -> RowFault:
    tokens = {"bool": "VALUE_TRUE", "int": "VALUE_NUMBER_INT", "float": "VALUE_NUMBER_FLOAT", "str": "VALUE_STRING"}
    name = tokens.get(type(value).__name__, "START_OBJECT")
    message = (
        f"Cannot deserialize instance of {kind} from {name} value {value} or request may be missing a required field"
        " at [line:1, column:2]"
    )
    return RowFault("JSON_PARSER_ERROR", message)


def _coerce_text(field: Field, value: Any) -> str | None:
    if not isinstance(value, str | int | float):
        raise _cannot_read("string", value)
    text = str(value).lower() if isinstance(value, bool) else str(value).strip()
    if not text:
        return None
    if field.length and len(text) > field.length:
        message = f"{field.label}: data value too large: {text} (max length={field.length})"
        raise RowFault("STRING_TOO_LONG", message, fields=[field.name])
    return _coerce_form(field, text)


def _coerce_form(field: Field, text: str) -> str:
    if field.type == "email":
        if not _EMAIL.fullmatch(text):
            message = f"{field.label}: invalid email address: {text}"
            raise RowFault("INVALID_EMAIL_ADDRESS", message, fields=[field.name])
        return text.lower()
    if field.restricted and text not in field.values:
        message = f"{field.label}: bad value for restricted picklist field: {text}"
        raise RowFault("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, fields=[field.name])
    if field.type == "reference":
        reference = normalise_id(text)
        if reference is None:
            message = f"{field.label}: id value of incorrect type: {text}"
            raise RowFault("MALFORMED_ID", message, fields=[field.name])
        return reference
    return text


def _coerce_boolean(field: Field, value: Any) -> bool:
    del field
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false", "1", "0"}:
        return value.lower() in {"true", "1"}
    raise _cannot_read("boolean", value)


def _coerce_number(field: Field, value: Any) -> float | int | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _cannot_read("double", value)
    try:
        number = float(value) if str(value).strip() else None
    except ValueError:
        raise _cannot_read("double", value) from None
    if number is None:
        return None
    digits_max = field.precision - field.scale
    if not math.isfinite(number) or (field.precision and abs(number) >= 10**digits_max):
        message = f"{field.label}: value outside of valid range on numeric field: {value}"
        raise RowFault("NUMBER_OUTSIDE_VALID_RANGE", message, fields=[field.name])
    # Numbers keep their declared decimals; an int field answers 7, a Number(18, 0) answers 7.0.
    return int(number) if field.type == "int" else round(number, field.scale)


def _coerce_time(field: Field, value: Any) -> str | None:
    if not isinstance(value, str):
        raise _cannot_read(field.type, value)
    text = value.strip()
    if not text:
        return None
    if field.type == "date":
        try:
            day = date.fromisoformat(text) if len(text) == len("2000-01-01") else None
        except ValueError:
            day = None
        if day is None:
            raise _cannot_read("date", value)
        if not _DATE_YEAR_MIN <= day.year <= _DATE_YEAR_MAX:
            message = f"{field.label}: invalid date: {text}"
            raise RowFault("NUMBER_OUTSIDE_VALID_RANGE", message, fields=[field.name])
        return text
    stamp = parse_stamp(text)
    if stamp is None:
        raise _cannot_read("datetime", value)
    return stamp
