"""What crosses the door of the room `programme`."""

import enum
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from comity.activity.types import PurchaseRecorded
from comity.definitions.types import POINTS_NAME, ProgrammeSpec
from comity.kernel.errors import Conflict, Invalid, NotFound, Refused
from comity.programme.engine.facts import Draw, Lot, Step

MEMBER_ENROLLED = "programme.member_enrolled"
POINTS_EARNED = "programme.points_earned"
POINTS_TAKEN_BACK = "programme.points_taken_back"
POINTS_AVAILABLE = "programme.points_available"
POINTS_REDEEMED = "programme.points_redeemed"
LARGE_REDEMPTION = "programme.large_redemption"
POINTS_EXPIRED = "programme.points_expired"
POINTS_EXPIRING = "programme.points_expiring"
HOLD_TIMED_OUT = "programme.hold_timed_out"
TIER_CHANGED = "programme.tier_changed"
MEMBERS_MERGED = "programme.members_merged"
POINTS_PARTED = "programme.points_parted"
"""Kinds of events; each payload is the struct of that name below and has `profile_id` and `programme`.

`kind` is that of the points: what happens to points of several kinds is an event for each of them.
"""


class InsufficientPoints(Refused):
    """The member has fewer points than that."""


class UnknownMember(NotFound):
    """There is no such member in this programme."""


class KeyReused(Conflict):
    """The idempotency key stands for another request already; use a new key for a new request."""


class InvalidRedemption(Invalid):
    """A redemption needs points above zero; key and reason have at most 450 printable characters, a reference 200."""


class Former(msgspec.Struct, frozen=True, kw_only=True):
    """What a programme said from a day on."""

    first_day: date
    spec: ProgrammeSpec
    version: int


class Programme(msgspec.Struct, frozen=True, kw_only=True):
    """A programme by name, as defined now; `version` is that of the definitions it comes from.

    Since `first_day` it says this; `past` is what it said before, oldest first. A purchase earns by what was said on
    its day, one from before all by what was said first.
    """

    name: str
    spec: ProgrammeSpec
    version: int = 0
    first_day: date = date.min
    past: tuple[Former, ...] = ()


class KindStand(msgspec.Struct, frozen=True, kw_only=True):
    """What a member has of one kind of points, told as `Member` tells it; without an account there is nothing yet."""

    points: int
    pending: int
    is_spendable: bool
    account_id: int | None


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A membership as it stands; `points` can be spent, `pending` not yet, `qualifying_points` decide the tier.

    `points` are below zero when the member owes some. Where the programme has several kinds of points they are those of
    the first, and `kinds` has all.
    """

    profile_id: UUID
    programme: str
    tier: str | None
    tier_since: datetime | None
    points: int
    pending: int
    qualifying_points: int
    enrolled_at: datetime
    last_redemption_at: datetime | None
    account_id: int
    first_kind: str = POINTS_NAME
    kinds: dict[str, KindStand] = {}


class Redemption(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to spend points, of the first kind where none is named; `reference` is of the accounts outside."""

    profile_id: UUID
    programme: str
    points: int
    kind: str | None = None
    idempotency_key: str
    reason: str = ""
    reference: str = ""


class RedemptionStatus(enum.StrEnum):
    """The verdict on one redemption."""

    REDEEMED = "redeemed"
    DUPLICATE = "duplicate"
    INSUFFICIENT_POINTS = "insufficient_points"
    UNKNOWN_KIND = "unknown_kind"
    KIND_NOT_SPENDABLE = "kind_not_spendable"
    UNKNOWN_MEMBER = "unknown_member"
    UNKNOWN_PROGRAMME = "unknown_programme"
    KEY_REUSED = "key_reused"
    INVALID = "invalid"


class RedemptionVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one redemption: `balance` is what can be spent after it, `pending` what cannot be spent yet.

    A duplicate carries the transfer of the first time, and balance and tier as they are now.
    """

    status: RedemptionStatus
    transfer_id: int | None = None
    balance: int | None = None
    pending: int | None = None
    tier: str | None = None


class Redeemed(msgspec.Struct, frozen=True, kw_only=True):
    """A redemption that stands in the books; `balance` can be spent after it, `pending` not yet."""

    transfer_id: int
    balance: int
    pending: int
    tier: str | None
    is_duplicate: bool


class EarnOutcome(enum.StrEnum):
    """Why a purchase earned what it earned."""

    EARNED = "earned"
    BELOW_ONE_POINT = "below_one_point"
    NOTHING = "nothing"
    NOT_POSITIVE = "not_positive"
    OTHER_CURRENCY = "other_currency"
    OTHER_BRAND = "other_brand"
    TOO_LARGE = "too_large"
    RETURNED = "returned"
    LAPSED = "lapsed"
    CANCELLED = "cancelled"


class Earned(msgspec.Struct, frozen=True, kw_only=True):
    """What one purchase earned in one programme: `points` of the first kind, `further_points` of the others.

    `explanation` is there where it was asked for and comes to what stands.
    """

    purchase_id: int
    programme: str
    profile_id: UUID
    points: int
    further_points: dict[str, int] | None = None
    outcome: EarnOutcome
    explanation: Step | None = None


class ProgrammeTotals(msgspec.Struct, frozen=True, kw_only=True):
    """All programmes at a glance; `trial_balance` is 0 unless the books are broken."""

    member_count: int
    points_outstanding: int
    trial_balance: int


class MemberEnrolled(msgspec.Struct, frozen=True, kw_only=True):
    """Payload of `programme.member_enrolled`."""

    profile_id: UUID
    programme: str
    tier: str | None


class PointsEarned(msgspec.Struct, frozen=True, kw_only=True):
    """Payload of `programme.points_earned`."""

    profile_id: UUID
    programme: str
    purchase_id: int
    points: int
    balance: int | None
    transfer_id: int | None
    kind: str


class PointsTakenBack(msgspec.Struct, frozen=True, kw_only=True):
    """Payload of `programme.points_taken_back`: the purchase was returned, corrected or cancelled.

    `shortfall` is what the policy of returns left with the member.
    """

    profile_id: UUID
    programme: str
    purchase_id: int
    points: int
    shortfall: int
    balance: int | None
    kind: str


class PointsAvailable(msgspec.Struct, frozen=True, kw_only=True):
    """Payload of `programme.points_available`: so many pending points can be spent now."""

    profile_id: UUID
    programme: str
    points: int
    kind: str


class PointsRedeemed(msgspec.Struct, frozen=True, kw_only=True):
    """Payload of `programme.points_redeemed`."""

    profile_id: UUID
    programme: str
    points: int
    balance: int | None
    transfer_id: int | None
    kind: str


class LargeRedemption(msgspec.Struct, frozen=True, kw_only=True):
    """Payload of `programme.large_redemption`: somebody spent more at once than `redemptions.large_above`."""

    profile_id: UUID
    programme: str
    points: int
    large_above: int
    balance: int | None
    transfer_id: int | None
    kind: str


class PointsExpired(msgspec.Struct, frozen=True, kw_only=True):
    """Payload of `programme.points_expired`."""

    profile_id: UUID
    programme: str
    points: int
    kind: str


class PointsExpiring(msgspec.Struct, frozen=True, kw_only=True):
    """Payload of `programme.points_expiring`: so many points can be spent through the day before `expires_on`.

    `warn_days` is the warning of the programme that this is; `days_left` are less where they were not told in time.
    """

    profile_id: UUID
    programme: str
    points: int
    expires_on: date
    days_left: int
    warn_days: int
    kind: str


class HoldTimedOut(msgspec.Struct, frozen=True, kw_only=True):
    """Payload of `programme.hold_timed_out`: what the hold reserved can be spent again, where it has not expired."""

    profile_id: UUID
    programme: str
    hold_id: int
    points: int
    kind: str


class TierChanged(msgspec.Struct, frozen=True, kw_only=True):
    """Payload of `programme.tier_changed`; `ladder` is None when the programme has no ladder any more."""

    profile_id: UUID
    programme: str
    ladder: str | None
    old_tier: str | None
    new_tier: str | None
    qualifying_points: int


class KnownProgramme(msgspec.Struct, frozen=True, kw_only=True):
    """A programme that has been opened."""

    programme: str
    timezone: str
    account_id: int
    kind: str
    is_spendable: bool
    further_kinds: dict[str, dict[str, Any]] | None = None


class LockedMember(msgspec.Struct, frozen=True, kw_only=True):
    """A living member nobody else changes in this transaction; `today` is the day in the programme's time zone.

    The accounts are those of the first kind of points, or of `kind`; `accounts` are those of the others, by kind, as
    far as they are open, and `further_kinds` what the programme keeps of these (account_id, is_spendable). Where
    `is_tier_due` the levels may be those of a day before; `programme.tiers` brings them up to date.
    """

    member_id: int
    profile_id: UUID
    programme: str
    account_id: int
    tier: str | None
    further_tiers: dict[str, str] | None = None
    programme_account_id: int
    today: date
    first_kind: str = POINTS_NAME
    is_spendable: bool = True
    further_kinds: dict[str, dict[str, Any]] | None = None
    accounts: dict[str, int] | None = None
    kind: str | None = None
    is_tier_due: bool = False

    @property
    def kind_name(self) -> str:
        """The kind of points that the accounts are of, by name."""
        return self.kind or self.first_kind

    def list_kinds(self) -> list[str]:
        """Return all kinds of points there are, by name."""
        return [self.first_kind, *sorted(self.further_kinds or ())]

    def list_lacking(self) -> list[str]:
        """Return the kinds of points that the member has no account of."""
        return sorted(each for each in self.further_kinds or () if each not in (self.accounts or ()))

    def of_kind(self, kind: str) -> "LockedMember":
        """Return the member as holder of a kind of points: account 0 is none. A name nobody knows is the first kind."""
        if not self.further_kinds or kind not in self.further_kinds:
            return self
        return msgspec.structs.replace(
            self,
            kind=kind,
            account_id=(self.accounts or {}).get(kind, 0),
            programme_account_id=self.further_kinds[kind]["account_id"],
            is_spendable=self.further_kinds[kind]["is_spendable"],
        )

    @property
    def levels(self) -> set[str | None]:
        """The member's levels on all ladders."""
        return {self.tier, *(self.further_tiers or {}).values()}


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What a cap has counted of a member in a period, or is to count more."""

    member_id: int
    counter: str
    period: str
    amount: int


class Earning(msgspec.Struct, frozen=True, kw_only=True):
    """What a purchase earns a member by the rules, what caps count of it, and what it draws on budgets.

    `points` are of the first kind, `further_points` of the others, by name. It explains itself where asked to.
    """

    purchase: PurchaseRecorded
    member: LockedMember
    points: int
    further_points: dict[str, int] | None = None
    outcome: EarnOutcome
    effective_on: date
    lots: tuple[Lot, ...] = ()
    counted: tuple[Counted, ...] = ()
    drawn: tuple[Draw, ...] = ()
    explanation: Step | None = None


class TierMove(msgspec.Struct, frozen=True, kw_only=True):
    """A member whose tier on a ladder changed; `ladder` is None where the programme has none any more."""

    profile_id: UUID
    ladder: str | None
    old_tier: str | None
    new_tier: str | None
    qualifying_points: int
