"""Earning rules of a programme: what earns how many points, when, and how rules go together."""

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

from comity.definitions.types_points import (
    Cap,
    CapPeriod,
    Expiry,
    FirstDay,
    LastDay,
    PartName,
    PendingSpec,
    PointsCount,
)
from comity.definitions.types_rules import ConditionText

Words = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=200)], ...], Meta(max_length=1_000)]
LevelNames = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=100)], ...], Meta(max_length=100)]


class Rounding(enum.StrEnum):
    """What happens to a fraction of a point."""

    FLOOR = "floor"
    HALF_UP = "half_up"
    HALF_EVEN = "half_even"
    CEILING = "ceiling"


class EarningSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base earning rate: so many points for each so many minor units of money."""

    points_per_unit: Annotated[int, Meta(ge=0, le=1_000_000)]
    unit_minor: Annotated[int, Meta(ge=1, le=1_000_000_000)]
    rounding: Rounding = Rounding.FLOOR


class Stacking(enum.StrEnum):
    """How rules of one group go together.

    `add`: awards add up, and so do what multipliers add (double and triple give four times). `multiply`: awards add up,
    multipliers multiply (six times). `best_of`: the award that gives most, and the highest multiplier, alone.
    """

    ADD = "add"
    MULTIPLY = "multiply"
    BEST_OF = "best_of"


class GroupSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules that go together in one way. Groups add up their awards and multiply their multipliers."""

    name: PartName
    stacking: Stacking


class RateSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So many points for each so many minor units of money."""

    points: Annotated[int, Meta(ge=1, le=1_000_000)]
    per_minor: Annotated[int, Meta(ge=1, le=1_000_000_000)]


class EarningRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One rule: exactly one of `rate`, `per_item`, `fixed` (awards) and `multiplier_percent` (200: double).

    It holds for the lines of a purchase that fit everything it names. The rounding is that of awards, once a purchase.
    """

    name: PartName
    points: PartName | None = None
    rate: RateSpec | None = None
    per_item: Annotated[int, Meta(ge=1, le=1_000_000, description="Points for each piece.")] | None = None
    fixed: Annotated[int, Meta(ge=1, le=1_000_000_000, description="Points for each purchase.")] | None = None
    multiplier_percent: Annotated[int, Meta(gt=100, le=10_000)] | None = None
    of: Annotated[
        tuple[str, ...], Meta(max_length=100, description="Awards a multiplier is for; else all but fixed ones.")
    ] = ()
    group: PartName | None = None
    rounding: Rounding | None = None
    categories: Words = ()
    items: Words = ()
    channels: Words = ()
    stores: Words = ()
    brands: Words = ()
    tiers: LevelNames = ()
    when: ConditionText | None = None
    first_day: FirstDay | None = None
    last_day: LastDay | None = None
    first_purchase: bool = False
    amount_min_minor: Annotated[int, Meta(ge=0, description="What the fitting lines come to at least.")] = 0
    caps: Annotated[tuple[Cap, ...], Meta(max_length=20)] = ()
    budget: PartName | None = None
    pending: PendingSpec | None = None
    expiry: Expiry | None = None

    @property
    def is_multiplier(self) -> bool:
        """True for a rule that multiplies what awards give."""
        return self.multiplier_percent is not None


class ExclusionSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Lines that earn nothing by any rule, such as gift cards or tobacco."""

    name: PartName
    categories: Words = ()
    items: Words = ()
    when: ConditionText | None = None


class WhenShort(enum.StrEnum):
    """What a budget gives that holds less than is asked of it."""

    PARTIAL = "partial"
    NOTHING = "nothing"


class BudgetSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the rules that name it may give to all members together, in points, in money, or both."""

    name: PartName
    points: PointsCount | None = None
    money_minor: Annotated[int, Meta(ge=1, description="By what the points are worth.")] | None = None
    per: CapPeriod = CapPeriod.EVER
    when_short: WhenShort = WhenShort.PARTIAL
