"""Properties: their definitions, and the checks and changes a value goes through when it is written."""

import math
import re
from datetime import UTC, date, datetime
from typing import Any, Literal

import msgspec

from comity.sandbox.hubspot.errors import ObjectFault
from comity.sandbox.wire import JsonObject, encode

PropertyType = Literal["string", "number", "date", "datetime", "enumeration", "bool", "phone_number"]

TEXT_LENGTH_MAX = 65_536

_EMAIL = re.compile(r"[^@\s,;:\"()<>\[\]\\]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\.[A-Za-z0-9-]{2,}")


class Property(msgspec.Struct, frozen=True, kw_only=True):
    """One property of an object type."""

    name: str
    label: str
    type: PropertyType = "string"
    field_type: str = "text"
    group: str = ""
    description: str = ""
    options: tuple[str, ...] = ()
    is_unique: bool = False
    is_read_only: bool = False
    is_vendor: bool = True
    created_at: str = "2019-08-06T02:41:08.029Z"

    def report(self) -> JsonObject:
        """Return the property as the properties API tells it."""
        return {
            "name": self.name,
            "label": self.label,
            "type": self.type,
            "fieldType": self.field_type,
            "groupName": self.group,
            "description": self.description,
            "options": [
                {"label": value, "value": value, "displayOrder": place, "hidden": False}
                for place, value in enumerate(self.options)
            ],
            "displayOrder": -1,
            "calculated": False,
            "externalOptions": False,
            "hasUniqueValue": self.is_unique,
            "hidden": False,
            "hubspotDefined": self.is_vendor,
            "formField": not self.is_read_only,
            "archived": False,
            "createdAt": self.created_at,
            "updatedAt": self.created_at,
            "modificationMetadata": {
                "archivable": not self.is_vendor,
                "readOnlyDefinition": self.is_vendor,
                "readOnlyValue": self.is_read_only,
            },
        }


def format_stamp(moment: datetime) -> str:
    """Return a time as the vendor writes it: UTC with milliseconds. Such texts sort as times do."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_stamp(text: str) -> str | None:
    """Return epoch milliseconds or an ISO time in the stored form, or None."""
    try:
        if re.fullmatch(r"-?\d+", text):
            return format_stamp(datetime.fromtimestamp(int(text) / 1000, tz=UTC))
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return format_stamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def normalise_all(properties: dict[str, Property], given: dict[str, Any], portal_id: int) -> dict[str, str | None]:
    """Return all values as they are stored. Raises ObjectFault naming every value that is refused."""
    values: dict[str, str | None] = {}
    bad: list[JsonObject] = []
    for name, value in given.items():
        definition = properties.get(name)
        if definition is None:
            problem = ("PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')
        elif definition.is_read_only:
            problem = ("READ_ONLY_VALUE", f'"{name}" is a read only property; its value cannot be set.')
        else:
            problem = None
            try:
                values[name] = normalise(definition, value)
            except ValueError as error:
                problem = (str(error.args[0]), str(error.args[1]))
        if problem:
            code, message = problem
            bad.append(
                {
                    "isValid": False, "message": message, "error": code, "name": name,
                    "localizedErrorMessage": message, "portalId": portal_id,
                }
            )  # fmt: skip
    if bad:
        errors = [
            {"message": item["message"], "code": item["error"], "context": {"propertyName": [item["name"]]}}
            for item in bad
        ]
        message = f"Property values were not valid: {encode(bad).decode()}"
        raise ObjectFault(400, "VALIDATION_ERROR", message, errors=errors)
    return values


def normalise(definition: Property, value: Any) -> str | None:
    """Return one value as it is stored; blank clears. Raises ValueError(code, message)."""
    if value is None:
        return None
    if not isinstance(value, str | int | float):
        raise ValueError("INVALID_TYPE", f"{definition.name} must be a string")  # noqa: TRY004 - the caller reads a code and a message.
    text = str(value).lower() if isinstance(value, bool) else str(value)
    bare = text.strip()
    if not bare:
        return None
    if definition.type in {"string", "phone_number"}:
        return _normalise_text(definition, bare)
    if bare != text:
        raise ValueError(f"INVALID_{definition.type.upper()}", f'"{text}" has leading or trailing whitespace')
    return {
        "number": _normalise_number,
        "date": _normalise_date,
        "datetime": _normalise_datetime,
        "enumeration": _normalise_enumeration,
        "bool": _normalise_bool,
    }[definition.type](definition, bare)


def _normalise_text(definition: Property, text: str) -> str:
    if len(text) > TEXT_LENGTH_MAX:
        raise ValueError("PROPERTY_VALUE_TOO_LARGE", f"{definition.name} is longer than {TEXT_LENGTH_MAX} characters")
    if definition.name == "email":
        if not _EMAIL.fullmatch(text):
            raise ValueError("INVALID_EMAIL", f"Email address {text} is invalid")
        return text.lower()
    return text


def _normalise_number(definition: Property, text: str) -> str:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError("INVALID_NUMBER", f"{text} was not a valid number.")
    del definition
    return text


def _normalise_date(definition: Property, text: str) -> str:
    try:
        if re.fullmatch(r"-?\d+", text):
            moment = datetime.fromtimestamp(int(text) / 1000, tz=UTC)
            if moment.time() != datetime.min.time():
                raise ValueError("INVALID_DATE", f"{text} is at {moment:%H:%M:%S} UTC, not midnight!")  # noqa: TRY301 - both ways of a bad date meet below.
            return moment.date().isoformat()
        return date.fromisoformat(text).isoformat()
    except (ValueError, OverflowError, OSError) as error:
        if error.args and error.args[0] == "INVALID_DATE":
            raise
        raise ValueError("INVALID_DATE", f"{text} was not a valid date for {definition.name}.") from None


def _normalise_datetime(definition: Property, text: str) -> str:
    stamp = parse_stamp(text)
    if stamp is None:
        raise ValueError("INVALID_LONG", f"{text} was not a valid long for {definition.name}.")
    return stamp


def _normalise_enumeration(definition: Property, text: str) -> str:
    chosen = text.split(";") if definition.field_type == "checkbox" else [text]
    wrong = [value for value in chosen if value not in definition.options]
    if wrong and definition.options:
        message = f"{text} was not one of the allowed options: [{', '.join(definition.options)}]"
        raise ValueError("INVALID_OPTION", message)
    return text


def _normalise_bool(definition: Property, text: str) -> str:
    if text.lower() not in {"true", "false"}:
        raise ValueError(
            "INVALID_OPTION", f"{text} was not one of the allowed options of {definition.name}: [true, false]"
        )
    return text.lower()
