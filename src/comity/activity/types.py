"""What crosses the door of the room `activity`."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from comity.kernel.errors import Invalid

PURCHASES_MAX = 10_000
"""Most purchases of one call."""

PURCHASE_RECORDED = "activity.purchase_recorded"
"""A fact that has a profile; its payload is PurchaseRecorded. Published once per fact."""

PURCHASE_CHANGED = "activity.purchase_changed"
"""A fact that says something else than when it was recorded, or has another return or event.

Its payload is PurchaseChanged."""

PURCHASE_DIFFERS = "activity.purchase_differs"
"""A report that says another amount or currency than the fact it speaks of; its payload is PurchaseDiffers."""


OWN_SYSTEM = "comity"
STREAM_OF_GLOBAL_IDS = "profile"
"""What a report names as its person that says a Global ID, and no record."""


class TooManyPurchases(Invalid):
    """One call takes at most 10,000 purchases; send several."""


class UnknownTimeZone(Invalid):
    """There is no time zone of that name; write an IANA name such as Europe/Berlin."""


class RecordReference(msgspec.Struct, frozen=True, kw_only=True):
    """A record in a system."""

    system: str
    stream: str
    external_id: str


class Unplaced(msgspec.Struct, frozen=True, kw_only=True):
    """A report that waits: a purchase for the record of its person, a return for its purchase (its number).

    `kind` is `purchase` or `return`; system, stream and id are those of the report that came first.
    """

    kind: str
    system: str
    stream: str
    external_id: str
    business_key: str
    waits_for: str
    amount_minor: int
    currency: str
    recorded_at: datetime


def name_profile(profile_id: UUID) -> RecordReference:
    """Return what a report of a purchase says that names its person by a Global ID."""
    return RecordReference(system=OWN_SYSTEM, stream=STREAM_OF_GLOBAL_IDS, external_id=str(profile_id))


def read_profile(person: RecordReference) -> UUID | None:
    """Return the Global ID that a report names; None where it names a record."""
    if (person.system, person.stream) != (OWN_SYSTEM, STREAM_OF_GLOBAL_IDS):
        return None
    try:
        return UUID(person.external_id)
    except ValueError:
        return None


class PurchaseFact(msgspec.Struct, frozen=True, kw_only=True):
    """One system's report of a purchase. Without a business key the report stands for itself.

    `details` hold `channel`, `store`, `brand` and `lines`, as far as they were told; `events` when which of them
    happened (None: it did not, as far as the record says).
    """

    system: str
    stream: str
    external_id: str
    occurred_at: datetime
    amount_minor: int
    currency: str
    business_key: str | None = None
    person: RecordReference | None = None
    is_cancelled: bool = False
    details: dict[str, Any] | None = None
    events: dict[str, datetime | None] | None = None


class EventFact(msgspec.Struct, frozen=True, kw_only=True):
    """What one record says of an event of the purchase with that key: when it happened, or (None) that it did not."""

    system: str
    stream: str
    external_id: str
    name: str
    purchase_key: str
    happened_at: datetime | None


class ReturnFact(msgspec.Struct, frozen=True, kw_only=True):
    """One system's report of a return: so much of the purchase with that key came back.

    The business key is the same in every system that reports the same return.
    """

    system: str
    stream: str
    external_id: str
    business_key: str
    purchase_key: str
    occurred_at: datetime
    amount_minor: int
    currency: str
    details: dict[str, Any] | None = None


class VisitFact(msgspec.Struct, frozen=True, kw_only=True):
    """A report of a visit; the business key stands for it for good."""

    business_key: str
    profile_id: UUID
    occurred_at: datetime
    person: RecordReference


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """A visit as it stands."""

    business_key: str
    profile_id: UUID
    occurred_at: datetime


class AcceptedPurchase(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one report."""

    purchase_id: int
    is_new: bool
    is_conflicting: bool
    profile_id: UUID | None


class LinkedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A person's record that has a profile now."""

    system: str
    stream: str
    external_id: str
    profile_id: UUID


class ProfileMove(msgspec.Struct, frozen=True, kw_only=True):
    """Two profiles became one."""

    loser_profile_id: UUID
    survivor_profile_id: UUID


class Purchase(msgspec.Struct, frozen=True, kw_only=True):
    """A fact as it stands."""

    purchase_id: int
    business_key: str
    profile_id: UUID | None
    occurred_at: datetime
    amount_minor: int
    currency: str
    first_system: str
    recorded_at: datetime
    is_cancelled: bool = False


class PurchaseRecorded(msgspec.Struct, frozen=True, kw_only=True):
    """Payload of `activity.purchase_recorded`; system, stream and external id are those of the first report."""

    purchase_id: int
    business_key: str
    profile_id: UUID
    occurred_at: datetime
    amount_minor: int
    currency: str
    system: str
    stream: str
    external_id: str
    is_cancelled: bool = False
    details: dict[str, Any] | None = None


class PurchaseChanged(msgspec.Struct, frozen=True, kw_only=True):
    """Payload of `activity.purchase_changed`."""

    purchase_id: int
    profile_id: UUID


class PurchaseDiffers(msgspec.Struct, frozen=True, kw_only=True):
    """Payload of `activity.purchase_differs`."""

    purchase_id: int
    business_key: str
    system: str
    stream: str
    external_id: str
    amount_minor: int
    currency: str
    reported_amount_minor: int
    reported_currency: str


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """One report with the fact it speaks of, as the database took it in.

    `is_news`: the report differs and did not say so before. `is_recorded`: the fact got its profile by this report.
    `is_changed`: the fact says something else by this report.
    """

    purchase_id: int
    business_key: str
    profile_id: UUID | None
    occurred_at: datetime
    amount_minor: int
    currency: str
    system: str
    stream: str
    external_id: str
    is_new: bool
    is_differing: bool
    is_news: bool
    is_recorded: bool
    is_cancelled: bool
    details: dict[str, Any] | None
    is_changed: bool


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """A purchase as it stands; `told_at`, `told_minor` and `told_currency` are what the stream that asks said of it.

    System, stream and external id are those of the first report, which decides; `returned_minor` came back so far;
    `is_followed`: there are returns of it, or events.
    """

    purchase_id: int
    business_key: str
    profile_id: UUID | None
    occurred_at: datetime
    amount_minor: int
    currency: str
    system: str
    stream: str
    external_id: str
    is_cancelled: bool
    details: dict[str, Any] | None
    told_at: datetime | None
    told_minor: int | None
    told_currency: str | None
    returned_minor: int
    is_followed: bool


class KnownReturn(msgspec.Struct, frozen=True, kw_only=True):
    """A return as it stands."""

    business_key: str
    purchase_key: str
    occurred_at: datetime
    amount_minor: int
    currency: str
    details: dict[str, Any] | None


class Turnover(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody's purchases come to; `last_purchase_at` is None where there are only credit notes."""

    profile_id: UUID
    last_purchase_at: datetime | None
    purchase_count: int
    value_minor: dict[str, int]


class Rfv(msgspec.Struct, frozen=True, kw_only=True):
    """Recency, frequency and value: when somebody bought last, how often, and for how much by currency.

    Cancelled purchases are left out; returns are taken off the value; credit notes are no purchases.
    """

    profile_id: UUID
    last_purchase_on: date | None
    purchase_count: int
    value_minor: dict[str, int]
