"""Tiers of a programme: ladders, over which time points count, how long a level is kept, and how it is lost."""

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

from comity.definitions.types_points import PartName, Span


class TierLevel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One level of the ladder and the points it starts at (`from` in YAML); `keep_from` are those that keep it."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    points_from: Annotated[int, Meta(ge=0)] = msgspec.field(name="from")
    keep_from: Annotated[int, Meta(ge=0)] | None = None


class TierLadder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Levels from low to high, by the points earned within the window; the first starts at 0."""

    levels: Annotated[tuple[TierLevel, ...], Meta(min_length=1, max_length=50)]
    window_days: Annotated[int, Meta(ge=1, le=36_500)] = 365


class RollingWindow(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="rolling"
):
    """The points of the last so many days, months or years count."""

    length: Span


class CalendarWindow(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="kind",
    tag="calendar",
):
    """The points of the programme year count."""

    year_starts: Annotated[str, Meta(pattern=r"^\d\d-\d\d$", description="Month and day, e.g. 04-01.")] = "01-01"


class LifetimeWindow(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="lifetime"
):
    """All points ever earned count."""


Window = RollingWindow | CalendarWindow | LifetimeWindow


class Downgrade(enum.StrEnum):
    """How a level is lost.

    `immediate`: the day the points fall short. `at_period_end`: when the time it is valid for ends, to the level the
    points then give. `one_level`: likewise, but one level at a time (soft landing).
    """

    IMMEDIATE = "immediate"
    AT_PERIOD_END = "at_period_end"
    ONE_LEVEL = "one_level"


class ValiditySpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How long a level that was reached is kept: for a time, or to the end of the so many next programme years."""

    length: Span = Span()
    next_years: Annotated[int, Meta(ge=1, le=100)] | None = None


class LadderSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One ladder of tiers; a programme may have several, each with its own points, window and way down."""

    name: PartName
    levels: Annotated[tuple[TierLevel, ...], Meta(min_length=1, max_length=50)]
    points: PartName | None = None
    window: Window = RollingWindow(length=Span(days=365))
    downgrade: Downgrade = Downgrade.IMMEDIATE
    valid: ValiditySpec | None = None
    grace_days: Annotated[int, Meta(ge=0, le=3_650, description="Days a level is kept after its time is over.")] = 0
