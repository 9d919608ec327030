"""What a programme gives and allows beside earning: rewards, returns, corrections, referral, transfers, adjustments."""

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

from comity.definitions.types_earning import LevelNames, Rounding
from comity.definitions.types_points import Cap, CapPeriod, FirstDay, LastDay, PartName, PointsCount, Span
from comity.definitions.types_rules import ConditionText

Percent = Annotated[int, Meta(ge=1, le=100)]


class VoucherSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The reward is a code with a value in money, good for so long."""

    minor: Annotated[int, Meta(ge=1, le=1_000_000_000)]
    valid: Span = Span(years=1)


class RewardSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Something members can have for points; without `stock` there is no end of it."""

    name: PartName
    title: Annotated[str, Meta(min_length=1, max_length=200)]
    price: PointsCount
    points: PartName | None = None
    stock: Annotated[int, Meta(ge=0, le=1_000_000_000)] | None = None
    caps: Annotated[tuple[Cap, ...], Meta(max_length=20, description="Times for each member.")] = ()
    tiers: LevelNames = ()
    when: ConditionText | None = None
    first_day: FirstDay | None = None
    last_day: LastDay | None = None
    voucher: VoucherSpec | None = None


class RedemptionsSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Spending points; `large_above` is where other parts of a company want to hear of it."""

    large_above: Annotated[PointsCount | None, Meta(description="More than this is told as a large redemption.")] = None


class ReturnPolicy(enum.StrEnum):
    """What of the points of a returned purchase can be taken back.

    `only_pending`: those still pending. `within_balance`: up to what the member has. `allow_negative`: all of them; the
    member may owe points.
    """

    ONLY_PENDING = "only_pending"
    WITHIN_BALANCE = "within_balance"
    ALLOW_NEGATIVE = "allow_negative"


class LateReturns(enum.StrEnum):
    """What a return takes back that comes after the window.

    `take_back`: like any other; the window counts for referrals alone. `keep`: nothing, the member keeps the points.
    """

    TAKE_BACK = "take_back"
    KEEP = "keep"


class ReturnsSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Returned purchases give back what they earned, pro rata by what was returned of each line."""

    policy: ReturnPolicy = ReturnPolicy.WITHIN_BALANCE
    window_days: Annotated[int, Meta(ge=0, le=3_650, description="Days after that of the purchase.")] = 30
    late: Annotated[LateReturns, Meta(description="Of what comes back after the window.")] = LateReturns.TAKE_BACK
    rounding: Rounding = Rounding.FLOOR


class CorrectionPolicy(enum.StrEnum):
    """What becomes of purchases that were corrected, or came late.

    `re_derive`: everything as if it had come in time. `adjust_forward`: that purchase alone, as of today; what it would
    have changed for others stays. `freeze_closed_period`: like `re_derive`, but purchases of closed periods keep what
    they earned, and differences of closed periods are booked on the first open day.
    """

    RE_DERIVE = "re_derive"
    ADJUST_FORWARD = "adjust_forward"
    FREEZE_CLOSED_PERIOD = "freeze_closed_period"


class ShortfallPolicy(enum.StrEnum):
    """What becomes of points that one spent and that were the other's, when two who were merged are parted again.

    Who spent pays from what they can spend. What they cannot pay is `owed`: a debt that their next points pay; or
    `let_go`: the programme bears it.
    """

    OWED = "owed"
    LET_GO = "let_go"


class UnmergeSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """People who were merged by mistake are parted: each gets what is theirs."""

    shortfall: ShortfallPolicy = ShortfallPolicy.OWED


class ReferralSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who brings a friend earns points once the friend's first purchase can no longer be returned."""

    advocate_points: Annotated[int, Meta(ge=0, le=1_000_000_000)]
    friend_points: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0
    points: PartName | None = None
    purchase_min_minor: Annotated[int, Meta(ge=0, description="What the friend keeps at least.")] = 0
    purchase_within_days: Annotated[int, Meta(ge=1, le=3_650)] = 90
    matures_days: Annotated[int, Meta(ge=0, le=3_650, description="Days after the friend's purchase.")] = 30
    caps: Annotated[tuple[Cap, ...], Meta(max_length=20, description="For each advocate.")] = ()


class TransferSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Members may give points to each other, within limits."""

    points: PartName | None = None
    points_min: PointsCount = 1
    points_max: PointsCount | None = None
    caps: Annotated[tuple[Cap, ...], Meta(max_length=20)] = ()
    tiers: LevelNames = ()


class PoolSpenders(enum.StrEnum):
    """Who of a pool may spend what is in it: everybody, or who has been in it longest."""

    ALL = "all"
    FIRST = "first"


class PoolLeaving(enum.StrEnum):
    """What becomes of the points somebody brought when they leave a pool; the last one to leave takes what is left.

    `takes_share`: what is left of them goes along. `stays`: they stay with the others.
    """

    TAKES_SHARE = "takes_share"
    STAYS = "stays"


class PoolSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Members, such as a family, may collect in one pool."""

    points: PartName | None = None
    members_max: Annotated[int, Meta(ge=2, le=1_000)] = 6
    pools_max: Annotated[int, Meta(ge=1, le=100, description="Pools one member may be in.")] = 1
    contribution_percent: Percent = 100
    spenders: PoolSpenders = PoolSpenders.ALL
    leaving: PoolLeaving = PoolLeaving.TAKES_SHARE


class AdjustmentSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Points given or taken by hand; above a limit a second person has to agree."""

    checker_above: Annotated[int, Meta(ge=0, le=1_000_000_000_000)] = 0
    points_max: PointsCount | None = None
    per: CapPeriod = CapPeriod.DAY
    maker_max: Annotated[PointsCount, Meta(description="Points one maker may adjust in the period.")] | None = None
