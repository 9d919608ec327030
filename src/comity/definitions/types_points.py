"""Points of a programme: what they count for, when they become available, when they expire, how many there may be."""

import enum
from datetime import date
from typing import Annotated

import msgspec
from msgspec import Meta

PART_NAME = r"^[a-z][a-z0-9_]{0,40}$"
POINTS_MAX = 1_000_000_000_000

PartName = Annotated[str, Meta(pattern=PART_NAME, description="Lower-case letters, digits and _.")]
PointsCount = Annotated[int, Meta(ge=1, le=POINTS_MAX)]
FirstDay = Annotated[date, Meta(description="First day it holds, where the programme lives.")]
LastDay = Annotated[date, Meta(description="Last day it holds, where the programme lives.")]


class Span(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A length of time by the calendar: years and months first (31 January plus a month is 28 February), then days."""

    years: Annotated[int, Meta(ge=0, le=100)] = 0
    months: Annotated[int, Meta(ge=0, le=1_200)] = 0
    days: Annotated[int, Meta(ge=0, le=36_500)] = 0

    @property
    def is_empty(self) -> bool:
        """True when no time passes."""
        return not (self.years or self.months or self.days)

    @property
    def days_least(self) -> int:
        """Days it lasts at least."""
        return self.years * 365 + self.months * 28 + self.days


class EndOf(enum.StrEnum):
    """A stretch of the calendar whose end a date moves to."""

    MONTH = "month"
    QUARTER = "quarter"
    HALF_YEAR = "half_year"
    YEAR = "year"


class StartsWith(enum.StrEnum):
    """The day a lifetime starts."""

    EARNED = "earned"
    AVAILABLE = "available"


class ActivityKind(enum.StrEnum):
    """What keeps points alive that expire without activity."""

    EARN = "earn"
    REDEEM = "redeem"
    PURCHASE = "purchase"
    VISIT = "visit"


class NeverExpiry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="never"):
    """The points do not expire."""


class FixedExpiry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="fixed"):
    """All points expire after one day."""

    last_day: LastDay


class RollingExpiry(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="kind",
    tag="rolling",
):
    """Each lot lives so long; `end_of` lets it live on to the end of that month, quarter, half-year or year."""

    after: Span
    end_of: EndOf | None = None
    starts: StartsWith = StartsWith.EARNED


class CalendarExpiry(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="kind",
    tag="calendar",
):
    """Points of one programme year expire with the end of it, or so many years later, plus a grace."""

    year_starts: Annotated[str, Meta(pattern=r"^\d\d-\d\d$", description="Month and day, e.g. 04-01.")] = "01-01"
    years: Annotated[int, Meta(ge=0, le=100, description="Full years after the one they were earned in.")] = 0
    grace: Span = Span()


class SlidingExpiry(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="kind",
    tag="sliding",
):
    """Points expire so long after the member's last activity; `at_most` limits how old a lot may grow."""

    after: Span
    activities: Annotated[tuple[ActivityKind, ...], Meta(min_length=1, max_length=10)] = (
        ActivityKind.EARN,
        ActivityKind.REDEEM,
    )
    at_most: Span | None = None


Expiry = NeverExpiry | FixedExpiry | RollingExpiry | CalendarExpiry | SlidingExpiry


class Otherwise(enum.StrEnum):
    """What becomes of pending points when the event they wait for does not come."""

    CANCEL = "cancel"
    RELEASE = "release"


class PendingSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Points are pending for so many days after the purchase, or after the event `until`, once that has come."""

    days: Annotated[int, Meta(ge=0, le=3_650)] = 0
    until: Annotated[str, Meta(pattern=PART_NAME, description="E.g. stay_completed, return_window_over.")] | None = None
    at_most_days: Annotated[int, Meta(ge=1, le=3_650, description="So long the event is waited for.")] = 365
    otherwise: Otherwise = Otherwise.CANCEL


class CapPeriod(enum.StrEnum):
    """The stretch of time a cap counts over, by the programme's calendar."""

    PURCHASE = "purchase"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    EVER = "ever"


class Cap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """So many points, or so many times, for one member in a period."""

    per: CapPeriod
    points: PointsCount | None = None
    times: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None


class WorthSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What points cost whoever redeems them: so many minor units for so many points."""

    points: PointsCount
    minor: Annotated[int, Meta(ge=1, le=POINTS_MAX)]


class PointsSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One currency of points: qualifying points decide tiers, spendable ones buy rewards; many do both."""

    name: PartName
    label: Annotated[str, Meta(max_length=200)] = ""
    qualifying: bool = True
    spendable: bool = True
    pending: PendingSpec | None = None
    expiry: Expiry = NeverExpiry()
    warn_days: Annotated[tuple[int, ...], Meta(max_length=10, description="Warn so many days before they expire.")] = ()
    caps: Annotated[tuple[Cap, ...], Meta(max_length=20)] = ()
    worth: WorthSpec | None = None
