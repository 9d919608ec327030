"""Specification of kind `mapping`: how records of one stream become canonical values, and back."""

import enum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from comity.definitions.types_points import PartName

WRITE_ONLY_NAMES = (
    "global_id",
    "loyalty.points",
    "loyalty.tier",
    "loyalty.programme",
    "loyalty.enrolled_at",
    "loyalty.last_redemption_at",
)

AT_ONCE = "at_once"
"""The cadence of what is written as soon as it is known."""

EVENTS = "events."
"""What the name of an event begins with, among the values of a purchase."""

Path = Annotated[str, Meta(min_length=1, max_length=500, description="Path of the field in the payload, dotted.")]
Cadence = Annotated[
    str,
    Meta(
        min_length=1,
        description="When a changed value is written: at_once, or at the ticks of 5m, 1h, 1d or a cron line of five "
        "fields (UTC).",
    ),
]
Lens = Annotated[
    str | dict[str, dict[str, Any]],
    Meta(description="How the value is read and written: a lens by name, or {name: {option: value}}."),
]


class Direction(enum.StrEnum):
    """Which way a field travels: from the system, to the system, or both."""

    READ = "read"
    WRITE = "write"
    BOTH = "both"

    @property
    def is_read(self) -> bool:
        """True when the hub takes the value over from the system."""
        return self is not Direction.WRITE

    @property
    def is_written(self) -> bool:
        """True when the hub writes the golden value into the system."""
        return self is not Direction.READ


class MappingKind(enum.StrEnum):
    """What a record of the stream is."""

    PERSON = "person"
    PURCHASE = "purchase"


def lens_name(lens: str | dict[str, dict[str, Any]]) -> str:
    """Name the lens that a field asks for."""
    return lens if isinstance(lens, str) else next(iter(lens), "")


def lens_options(lens: str | dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Give the options a field passes to its lens."""
    if isinstance(lens, str):
        return {}
    options: dict[str, Any] = {}
    for each in lens.values():
        options.update(each)
    return options


class FieldSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One field of the system and the golden attribute it corresponds to.

    `attribute` names a golden attribute, or one of the write-only names (`global_id`, `loyalty.points`, ...).
    `every` is of writing: changes wait for the next tick. Left out, it is what the mapping says in `write_every`.
    """

    attribute: Annotated[str, Meta(min_length=1, description="Golden attribute, global_id, or loyalty.<name>.")]
    field: Path
    lens: Lens
    direction: Direction = Direction.READ
    clears: Annotated[
        bool,
        Meta(description="True: an empty value says that there is none. False: an empty value says nothing."),
    ] = False
    every: Cadence | None = None

    @property
    def lens_name(self) -> str:
        """Name of the lens."""
        return lens_name(self.lens)

    @property
    def lens_options(self) -> dict[str, Any]:
        """Options of the lens."""
        return lens_options(self.lens)


class SourceField(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where a value of a purchase comes from: a field with a lens, or a constant."""

    field: Path | None = None
    lens: Lens | None = None
    constant: Annotated[str, Meta(min_length=1)] | None = None


def _source(value: str | SourceField, lens: Lens) -> SourceField:
    if isinstance(value, str):
        return SourceField(field=value, lens=lens)
    if value.field is not None and value.lens is None:
        return msgspec.structs.replace(value, lens=lens)
    return value


class LineFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The lines of a purchase: `field` holds a list of objects, the other paths are inside each of them.

    Amounts are of the purchase's currency, unless their lens says another. Lines without a `line_id` are numbered.
    """

    field: Path
    amount: str | SourceField
    line_id: str | SourceField | None = None
    quantity: str | SourceField | None = None
    item: str | SourceField | None = None
    category: str | SourceField | None = None

    @property
    def sources(self) -> dict[str, SourceField]:
        """Each value's source with its lens filled in; what is left out is not there."""
        more = {
            "line_id": (self.line_id, "text"),
            "quantity": (self.quantity, "integer"),
            "item": (self.item, "text"),
            "category": (self.category, "text"),
        }
        return {
            "amount": _source(self.amount, "money"),
            **{name: _source(value, lens) for name, (value, lens) in more.items() if value is not None},
        }


class PurchaseFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Fields of a purchase. A bare path stands for {field: path} with the usual lens.

    `business_key` is the same in every system that reports the same fact; `person` is the external id of the
    person's record in `person_system` (this system when left out) and `person_stream`. A purchase whose `cancelled` is
    true (or any text at all, for other lenses than boolean) counts no more. A record with a value in `returns` is a
    return: so much of the purchase with that business key came back; the sign of the amount says nothing. `events`
    name what may happen to the purchase later, and where its time is found; empty: it has not happened.
    """

    business_key: str | SourceField
    occurred_at: str | SourceField
    amount: str | SourceField
    currency: str | SourceField
    person: str | SourceField
    person_stream: Annotated[str, Meta(min_length=1, description="Stream the person's record belongs to.")]
    person_system: Annotated[str, Meta(min_length=1, description="System of the person's record.")] | None = None
    cancelled: str | SourceField | None = None
    returns: str | SourceField | None = None
    channel: str | SourceField | None = None
    store: str | SourceField | None = None
    brand: str | SourceField | None = None
    lines: LineFields | None = None
    events: Annotated[
        dict[PartName, str | SourceField],
        Meta(max_length=20, description="Time of each event, such as {stay_completed: CheckedOutAt}."),
    ] = msgspec.field(default_factory=dict[str, str | SourceField])

    @property
    def sources(self) -> dict[str, SourceField]:
        """Each value's source with its lens filled in; what is left out is not there."""
        more = {
            "cancelled": (self.cancelled, "boolean"),
            "returns": (self.returns, "text"),
            "channel": (self.channel, "text"),
            "store": (self.store, "text"),
            "brand": (self.brand, "text"),
        }
        return {
            "business_key": _source(self.business_key, "text"),
            "occurred_at": _source(self.occurred_at, "timestamp"),
            "amount": _source(self.amount, "money"),
            "currency": _source(self.currency, "text"),
            "person": _source(self.person, "text"),
            **{name: _source(value, lens) for name, (value, lens) in more.items() if value is not None},
            **{f"{EVENTS}{name}": _source(value, "timestamp") for name, value in self.events.items()},
        }


class MappingSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Correspondence of one stream of one system; at most one mapping a stream.

    `write_every` is for the written fields that say no `every`; without it they are written at once.
    """

    system: Annotated[str, Meta(min_length=1)]
    stream: Annotated[str, Meta(min_length=1)]
    kind: MappingKind
    external_id: Path
    fields: tuple[FieldSpec, ...] | PurchaseFields
    changed_at: Path | None = None
    write_every: Cadence | None = None

    def write_cadence(self, field: FieldSpec) -> str | None:
        """Return at whose ticks a field is written; None for at once."""
        said = field.every or self.write_every
        return None if said == AT_ONCE else said

    @property
    def person_fields(self) -> tuple[FieldSpec, ...]:
        """Field rows of a person mapping; empty for purchases."""
        return self.fields if isinstance(self.fields, tuple) else ()

    @property
    def purchase_fields(self) -> PurchaseFields | None:
        """Fields of a purchase mapping; None for people."""
        return self.fields if isinstance(self.fields, PurchaseFields) else None
