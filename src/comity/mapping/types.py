"""What crosses the door of the mapping room."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

from comity.definitions.types import AttributeType, Direction, MappingKind
from comity.kernel.errors import Invalid

ABSENT: Final = msgspec.UNSET
"""The payload does not contain the field: nothing was said. None means that the field is there and empty."""

Absent: TypeAlias = msgspec.UnsetType
Value: TypeAlias = str | int | bool | date | datetime | list[str] | None
"""A canonical value: text, email, phone, enum -> str; integer, money (minor units) -> int; date, timestamp; tags."""

LOYALTY_TYPES: Final[Mapping[str, AttributeType]] = {
    "global_id": AttributeType.TEXT,
    "loyalty.points": AttributeType.INTEGER,
    "loyalty.tier": AttributeType.TEXT,
    "loyalty.programme": AttributeType.TEXT,
    "loyalty.enrolled_at": AttributeType.TIMESTAMP,
    "loyalty.last_redemption_at": AttributeType.TIMESTAMP,
}
"""Values that only travel towards the systems, and their types."""

PURCHASE_TYPES: Final[Mapping[str, AttributeType]] = {
    "business_key": AttributeType.TEXT,
    "occurred_at": AttributeType.TIMESTAMP,
    "amount_minor": AttributeType.MONEY,
    "currency": AttributeType.TEXT,
}
"""Columns of a batch of purchases that have a value each; the column `person` holds record keys beside them."""


LINE_TYPES: Final[Mapping[str, AttributeType]] = {
    "amount": AttributeType.MONEY,
    "line_id": AttributeType.TEXT,
    "quantity": AttributeType.INTEGER,
    "item": AttributeType.TEXT,
    "category": AttributeType.TEXT,
}
"""Values of a line of a purchase."""


class RecordKey(Struct, frozen=True, order=True, gc=False):
    """One object in one system. Ordered by system, stream and external id, which decides ties everywhere."""

    system: str
    stream: str
    external_id: str


class Problem(Struct, frozen=True, kw_only=True):
    """One value of one record that could not be read or written.

    `position` is the place of the record in the input. `is_fatal` means that the record is not in the batch at all;
    otherwise only this field is ABSENT and the rest of the record counts.
    """

    position: int
    code: str
    field: str
    found: str
    expected: str
    remedy: str
    is_fatal: bool = False


class MappedBatch(Struct, frozen=True, kw_only=True):
    """Records column by column.

    `records`, `positions`, `changed_at` and every column have the same length: one entry a readable record.
    `positions[i]` is the place of record i in the input. `columns` holds every attribute the mapping reads, in the
    order of its fields; for purchases `business_key`, `occurred_at`, `amount_minor`, `currency` and `person` (the
    RecordKey of the person's record, or None). Values must not be changed in place: equal values share one object.
    `shown` is, where asked for, a fingerprint of each record's written fields; see `fingerprint_of`.
    """

    kind: MappingKind
    records: list[RecordKey]
    positions: list[int]
    columns: dict[str, list[Any]]
    changed_at: list[datetime | None]
    problems: list[Problem]
    shown: list[int] = []


class Written(Struct, frozen=True, kw_only=True):
    """The fields to write into one record, by path in the vendor's payload, and the values that have no vendor form.

    A field with a problem is left out, so the system keeps what it has.
    """

    fields: dict[str, Any]
    problems: tuple[Problem, ...] = ()


class Fault(Struct, frozen=True, kw_only=True):
    """Something wrong in a mapping: `field` is the place inside it, e.g. `fields[2].lens.date.format`."""

    field: str
    message: str
    remedy: str


class LensInfo(Struct, frozen=True, kw_only=True):
    """What people are told about a lens."""

    name: str
    summary: str
    types: tuple[AttributeType, ...]
    options: tuple[str, ...]


class MappingInvalid(Invalid):
    """The mapping cannot be used as it is."""

    def __init__(self, faults: list[Fault]) -> None:
        """Keep every fault found, so that all can be corrected at once."""
        self.faults = faults
        listing = " ".join(f"{fault.field}: {fault.message} {fault.remedy}" for fault in faults)
        super().__init__(
            f"The mapping has {len(faults)} fault(s). {listing}",
            details={"faults": [{"field": f.field, "message": f.message, "remedy": f.remedy} for f in faults]},
        )


__all__ = [
    "ABSENT",
    "LOYALTY_TYPES",
    "PURCHASE_TYPES",
    "Absent",
    "AttributeType",
    "Direction",
    "Fault",
    "LensInfo",
    "MappedBatch",
    "MappingInvalid",
    "MappingKind",
    "Problem",
    "RecordKey",
    "Value",
    "Written",
]
