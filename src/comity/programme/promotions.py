"""What crosses the door about promotions: budgets and referrals."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from comity.definitions.types import CapPeriod
from comity.kernel.errors import NotFound, Refused
from comity.programme.engine.referring import ReferralReason, ReferralState

BUDGET_LOW = "programme.budget_low"
BUDGET_SPENT = "programme.budget_spent"
"""Kinds of events; the payload is the `BudgetState`, which is nobody's alone."""

REFERRAL_DECIDED = "programme.referral_decided"
"""Kind of events; the payload is `ReferralDecided`."""


class ReferralNotOffered(Refused):
    """The programme had no referral on that day."""


class UnknownReferral(NotFound):
    """There is no such referral."""


class BudgetState(msgspec.Struct, frozen=True, kw_only=True):
    """How a budget stands in a period, also payload of `programme.budget_low` and `programme.budget_spent`.

    `period` is empty where the budget is for ever. What it limits in points, in money, or in both, has a maximum.
    """

    programme: str
    budget: str
    per: CapPeriod
    period: str
    points_max: int | None
    points_used: int | None
    money_max_minor: int | None
    money_used_minor: int | None
    used_percent: int
    is_low: bool
    is_spent: bool


class ReferralWish(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to note that a member brought a friend; both are members."""

    profile_id: UUID
    friend_profile_id: UUID
    programme: str
    referred_at: datetime
    idempotency_key: str
    told_by: str


class Referral(msgspec.Struct, frozen=True, kw_only=True):
    """A referral as it stands: what both get when it matures, and the reason it stands where it does.

    `decided_by` is the purchase of the friend it hangs on, `matures_on` the day from which that cannot be returned any
    more, `decided_from` the numbers that decided. Global IDs are those that were told.
    """

    referral_id: int
    programme: str
    profile_id: UUID
    friend_profile_id: UUID
    referred_at: datetime
    state: ReferralState
    reason: ReferralReason
    advocate_points: int = 0
    friend_points: int = 0
    decided_by: int | None = None
    matures_on: date | None = None
    decided_from: dict[str, Any] = {}
    told_by: str = ""
    idempotency_key: str = ""
    is_duplicate: bool = False


class ReferralDecided(msgspec.Struct, frozen=True, kw_only=True):
    """Payload of `programme.referral_decided`: a referral is new, or stands elsewhere; `profile_id` is the advocate."""

    profile_id: UUID
    friend_profile_id: UUID
    programme: str
    referral_id: int
    state: ReferralState
    reason: ReferralReason
    advocate_points: int
    friend_points: int
    matures_on: date | None
