"""Specification of kind `attribute`: one golden attribute of a person."""

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

ATTRIBUTE_NAME = r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$"
ATTRIBUTE_NAME_LENGTH_MAX = 48

RESERVED_NAMES = frozenset(
    {
        "external_id",
        "global_id",
        "loyalty",
        "profile_id",
        "record_id",
        "rules_version",
        "stream",
        "system",
        "today",
        "updated_at",
        "written",
        "written_at",
    }
)
"""Names that mean something else in tables and conditions; no attribute may take one."""


class AttributeType(enum.StrEnum):
    """Canonical types; each has one Python value and one PostgreSQL column type."""

    TEXT = "text"
    EMAIL = "email"
    PHONE = "phone"
    DATE = "date"
    INTEGER = "integer"
    MONEY = "money"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    TAGS = "tags"

    @property
    def column_type(self) -> str:
        """PostgreSQL type of a column that holds such values."""
        return _COLUMN_TYPES[self]


_COLUMN_TYPES = {
    AttributeType.TEXT: "text",
    AttributeType.EMAIL: "text",
    AttributeType.PHONE: "text",
    AttributeType.DATE: "date",
    AttributeType.INTEGER: "bigint",
    AttributeType.MONEY: "bigint",
    AttributeType.BOOLEAN: "boolean",
    AttributeType.TIMESTAMP: "timestamptz",
    AttributeType.TAGS: "text[]",
}


class AttributeSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A golden attribute; it becomes a typed column. Its type never changes once applied."""

    type: AttributeType
    label: Annotated[str, Meta(max_length=200, description="What people call it.")] = ""
    group: (
        Annotated[str, Meta(pattern=ATTRIBUTE_NAME, description="Group whose attributes move as one, e.g. address.")]
        | None
    ) = None
    personal: Annotated[bool, Meta(description="True when the value is personal data, which erasure removes.")] = True
