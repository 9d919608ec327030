"""Specification of kind `programme`: who takes part, what is earned, which tiers there are."""

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

from comity.definitions.types_rules import ConditionText


class Rounding(enum.StrEnum):
    """What happens to a fraction of a point."""

    FLOOR = "floor"
    HALF_UP = "half_up"
    CEILING = "ceiling"


class EnrolSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How people become members."""

    automatic: Annotated[bool, Meta(description="True: every person, or every person `when` holds for.")] = False
    when: ConditionText | None = None


class EarningSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base earning rate: so many points for each so many minor units of money."""

    points_per_unit: Annotated[int, Meta(ge=0, le=1_000_000)]
    unit_minor: Annotated[int, Meta(ge=1, le=1_000_000_000)]
    rounding: Rounding = Rounding.FLOOR


class TierLevel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One level of the ladder and the points it starts at (`from` in YAML)."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    points_from: Annotated[int, Meta(ge=0)] = msgspec.field(name="from")


class TierLadder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Levels from low to high, by the points earned within the window; the first starts at 0."""

    levels: Annotated[tuple[TierLevel, ...], Meta(min_length=1, max_length=50)]
    window_days: Annotated[int, Meta(ge=1, le=36_500)] = 365


class ProgrammeSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One loyalty programme."""

    title: Annotated[str, Meta(min_length=1, max_length=200)]
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$", description="ISO 4217 code.")]
    earning: EarningSpec
    timezone: Annotated[str, Meta(description="IANA name, e.g. Europe/Berlin.")] = "UTC"
    enrol: EnrolSpec = EnrolSpec()
    tiers: TierLadder | None = None
