"""What simulations and explanations are told, and what they answer."""

from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from comity.definitions.types import ProgrammeSpec
from comity.programme.engine.days import add_days, to_first_instant
from comity.programme.engine.facts import Draw, Step
from comity.programme.stands import to_draws
from comity.programme.types import EarnOutcome


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Which purchases are gone through: those before `until`; of members one of `sample_of`, and of these a part.

    Members are told apart by a hash of their profile, so a sample is the same every time.
    """

    programme: str
    until: datetime
    sample_of: int = 1
    part: int = 0
    parts: int = 1


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What is tried: one programme by two specifications, up to and with a day; None stands for no programme."""

    programme: str
    running: ProgrammeSpec | None
    proposed: ProgrammeSpec | None
    on: date
    top_count: int = 10

    @property
    def until(self) -> datetime:
        """The first instant after the last day, wherever that is later."""
        after = add_days(self.on, 1)
        zones = [spec.timezone for spec in (self.running, self.proposed) if spec is not None]
        return max(to_first_instant(after, ZoneInfo(zone)) for zone in zones or ["UTC"])


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What one version comes to: issued + adjusted = redeemed + expired + open.

    `points_adjusted` were given by hand, less those that were taken so. `points_short` were redeemed or taken by hand,
    and this version would not have covered them.
    """

    earning_count: int = 0
    points_issued: int = 0
    points_adjusted: int = 0
    points_redeemed: int = 0
    points_short: int = 0
    points_expired: int = 0
    points_open: int = 0


class KindFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What both versions come to in one kind of points; one that a version does not have comes to nothing there."""

    kind: str
    running: Figures
    proposed: Figures


class TierCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many members end at a tier of a ladder, by both versions."""

    ladder: str
    tier: str | None
    running: int
    proposed: int


class TierShift(msgspec.Struct, frozen=True, kw_only=True):
    """Members who end at another tier of a ladder by the proposed version than by the running one."""

    ladder: str
    running: str | None
    proposed: str | None
    member_count: int


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """Points issued for the purchases of a month, such as 2026-03."""

    month: str
    running: int
    proposed: int


class Gain(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """What one member gets more by the proposed version; below zero: less."""

    points: int
    profile_id: UUID
    running: int
    proposed: int


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """Members who get more, or less: how many, by how many points together, and the largest."""

    member_count: int
    points: int
    largest: tuple[Gain, ...]


class VersionInForce(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a programme's document, and since when."""

    version: int
    applied_at: datetime
    spec: ProgrammeSpec


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """A purchase of a member with what was decided of it."""

    purchase_id: int
    profile_id: UUID
    occurred_at: datetime
    amount_minor: int
    currency: str
    points: int
    further_points: dict[str, int] | None = None
    outcome: EarnOutcome
    effective_on: date
    earned_at: datetime
    is_cancelled: bool = False
    details: dict[str, Any] | None = None
    returns: list[dict[str, Any]] = []
    drawn: list[tuple[str, str, int, int, int]] = []
    events: dict[str, str] = {}

    @property
    def split(self) -> tuple[int, dict[str, int] | None]:
        """What it earned of the first kind of points, and of the others."""
        return self.points, self.further_points

    @property
    def draws(self) -> tuple[Draw, ...]:
        """What it drew on budgets, as the engine knows it."""
        return to_draws(self.drawn)


class ExplainedEarning(msgspec.Struct, frozen=True, kw_only=True):
    """What a purchase earned in a programme, and the steps that lead there; amounts are of `currency`, the purchase's.

    `is_exact` is False when deriving it once more gives something else than what is booked, as after a merge; without a
    stored version of the programme there is no explanation. `in_force_since` is that of the version.
    """

    programme: str
    purchase_id: int
    profile_id: UUID
    currency: str
    points: int
    further_points: dict[str, int] | None = None
    outcome: EarnOutcome
    decided_at: datetime
    version: int | None
    in_force_since: datetime | None
    is_exact: bool
    explanation: Step | None


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """A proposed version of a programme beside the running one, over the same history, as of the end of a day.

    Members are those whose purchases count by one of the versions; of all members one of `sample_of` was looked at.
    Where there are several kinds of points all this is of the first, and `kinds` has all.
    """

    programme: str
    on: date
    sample_of: int
    purchase_count: int
    member_count: int
    running: Figures
    proposed: Figures
    kinds: tuple[KindFigures, ...] = ()
    tiers: tuple[TierCount, ...]
    tier_moves: tuple[TierShift, ...]
    winners: Side
    losers: Side
    months: tuple[Month, ...]
    notes: tuple[str, ...] = ()
