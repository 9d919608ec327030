"""Specification of kind `programme`: who takes part, what is earned, which tiers and rewards there are."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from comity.definitions.types_attribute import AttributeType
from comity.definitions.types_earning import (
    BudgetSpec,
    EarningRule,
    EarningSpec,
    ExclusionSpec,
    GroupSpec,
    Stacking,
    Words,
)
from comity.definitions.types_points import PointsSpec, Span
from comity.definitions.types_rewards import (
    AdjustmentSpec,
    CorrectionPolicy,
    PoolSpec,
    RedemptionsSpec,
    ReferralSpec,
    ReturnsSpec,
    RewardSpec,
    TransferSpec,
    UnmergeSpec,
)
from comity.definitions.types_rules import ConditionText
from comity.definitions.types_tiers import LadderSpec, RollingWindow, TierLadder

POINTS_NAME = "points"
"""The points of a programme that names none."""

BASE_RULE = "base"
"""The rule that `earning` stands for."""

TIERS_LADDER = "tiers"
"""The ladder that `tiers` stands for."""


LOYALTY_TYPES = {
    "loyalty.points": AttributeType.INTEGER,
    "loyalty.tier": AttributeType.TEXT,
    "loyalty.programme": AttributeType.TEXT,
    "loyalty.enrolled_at": AttributeType.TIMESTAMP,
}
"""Words for a membership as it stands."""


class EnrolSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How people become members."""

    automatic: Annotated[bool, Meta(description="True: every person, or every person `when` holds for.")] = False
    when: ConditionText | None = None


class ProgrammeSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One loyalty programme."""

    title: Annotated[str, Meta(min_length=1, max_length=200)]
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$", description="ISO 4217 code.")]
    earning: Annotated[EarningSpec | None, Meta(description="The base rate; short for a rule named base.")] = None
    timezone: Annotated[str, Meta(description="IANA name, e.g. Europe/Berlin.")] = "UTC"
    enrol: EnrolSpec = EnrolSpec()
    tiers: Annotated[TierLadder | None, Meta(description="One ladder; short for a ladder named tiers.")] = None
    brands: Annotated[Words, Meta(description="Purchases of other brands earn nothing.")] = ()
    points: Annotated[tuple[PointsSpec, ...], Meta(max_length=20, description="The first is the usual one.")] = ()
    earning_rules: Annotated[tuple[EarningRule, ...], Meta(max_length=500)] = ()
    stacking: Annotated[Stacking, Meta(description="Of the rules without a group.")] = Stacking.ADD
    groups: Annotated[tuple[GroupSpec, ...], Meta(max_length=50)] = ()
    exclusions: Annotated[tuple[ExclusionSpec, ...], Meta(max_length=50)] = ()
    budgets: Annotated[tuple[BudgetSpec, ...], Meta(max_length=100)] = ()
    ladders: Annotated[tuple[LadderSpec, ...], Meta(max_length=10)] = ()
    rewards: Annotated[tuple[RewardSpec, ...], Meta(max_length=1_000)] = ()
    redemptions: RedemptionsSpec = RedemptionsSpec()
    returns: ReturnsSpec = ReturnsSpec()
    corrections: CorrectionPolicy = CorrectionPolicy.RE_DERIVE
    unmerge: UnmergeSpec = UnmergeSpec()
    referral: ReferralSpec | None = None
    transfers: TransferSpec | None = None
    pools: PoolSpec | None = None
    adjustments: AdjustmentSpec = AdjustmentSpec()

    @property
    def points_specs(self) -> tuple[PointsSpec, ...]:
        """The currencies of points, usual one first; one named `points` where none is defined."""
        return self.points or (PointsSpec(name=POINTS_NAME),)

    @property
    def ladder_specs(self) -> tuple[LadderSpec, ...]:
        """All ladders; the short form becomes one that follows the points of the last days at once."""
        return (*_from_short(self.tiers), *self.ladders)


def _from_short(tiers: TierLadder | None) -> tuple[LadderSpec, ...]:
    if tiers is None:
        return ()
    window = RollingWindow(length=Span(days=tiers.window_days))
    return (LadderSpec(name=TIERS_LADDER, levels=tiers.levels, window=window),)


_WORDS = {
    "purchase.amount_minor": AttributeType.MONEY,
    "purchase.currency": AttributeType.TEXT,
    "purchase.channel": AttributeType.TEXT,
    "purchase.store": AttributeType.TEXT,
    "purchase.brand": AttributeType.TEXT,
    "purchase.occurred_on": AttributeType.DATE,
    "purchase.weekday": AttributeType.INTEGER,
    "purchase.hour": AttributeType.INTEGER,
    "purchase.number": AttributeType.INTEGER,
    "loyalty.tier": AttributeType.TEXT,
    "loyalty.enrolled_on": AttributeType.DATE,
}
_LINE_WORDS = {
    "line.item": AttributeType.TEXT,
    "line.category": AttributeType.TEXT,
    "line.amount_minor": AttributeType.MONEY,
    "line.quantity": AttributeType.INTEGER,
}


def condition_words(
    spec: ProgrammeSpec, attributes: Mapping[str, AttributeType], *, has_lines: bool
) -> dict[str, AttributeType]:
    """Return the words of the conditions of a programme: attributes, purchase, member, and with `has_lines` the line.

    `purchase.weekday` is 1 (Monday) to 7, `purchase.hour` 0 to 23 and `purchase.occurred_on` the day, all where the
    programme lives; `purchase.number` is 1 for the first; `loyalty.tier` is that of the first ladder, `tier.NAME` that
    of the ladder NAME. `today` is the day of the purchase. There is no word for the balance: what somebody has spent in
    the meantime must not change what a purchase earns when it is looked at again.
    """
    tiers = {f"tier.{ladder.name}": AttributeType.TEXT for ladder in spec.ladder_specs}
    return {**attributes, **_WORDS, **tiers, **(_LINE_WORDS if has_lines else {})}


def reward_words(spec: ProgrammeSpec, attributes: Mapping[str, AttributeType]) -> dict[str, AttributeType]:
    """Return the words of the conditions of rewards: attributes and the membership as it stands, balance included."""
    words = condition_words(spec, attributes, has_lines=False)
    return {word: kind for word, kind in words.items() if not word.startswith("purchase.")} | LOYALTY_TYPES
