"""What callers may wish for or ask beside redeeming, and what they are told."""

import enum
from datetime import date, datetime
from uuid import UUID

import msgspec

from comity.kernel.errors import Conflict, Invalid, NotFound, Refused

POINTS_MOVED = "programme.points_moved"
"""Kind of events: points were held, let go of, given to somebody or adjusted; the payload is PointsMoved."""


class WishInvalid(Invalid):
    """Keys and reasons are printable text of at most 450 characters, references of 200; a key is never empty."""


class UnknownHold(NotFound):
    """There is no such hold."""


class HoldExceeded(Invalid):
    """A hold cannot give more points than it reserves, nor none at all."""


class HoldResolved(Conflict):
    """The hold has ended already; the details say how."""


class HoldOverdue(Refused):
    """The deadline of the hold has passed; hold the points anew."""


class TransferRefused(Refused):
    """The programme does not allow this transfer; the details say why."""


class AdjustmentRefused(Refused):
    """The programme does not allow this adjustment; the details say why."""


class PeriodLocked(Conflict):
    """The books of that day are closed. Name an open day, or none, or have them reopened (`comity ledger reopen`)."""


class UnknownAdjustment(NotFound):
    """There is no such adjustment."""


class AdjustmentDecided(Conflict):
    """The adjustment has been decided already; the details say how."""


class ProgrammeNotDefined(NotFound):
    """There is no programme of this name in the definitions."""


class HoldWish(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to reserve points until a deadline; of the first kind where none is named, as of all wishes."""

    profile_id: UUID
    programme: str
    points: int
    kind: str | None = None
    deadline_at: datetime
    idempotency_key: str
    reason: str = ""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """Points that are reserved; `balance` is what the member has beside all holds."""

    hold_id: int
    points: int
    deadline_at: datetime
    balance: int
    tier: str | None
    is_duplicate: bool


class EndWish(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to end a hold: capture `points` of it (None: all) and release the rest; or, with 0, release it."""

    hold_id: int
    idempotency_key: str
    points: int | None = None
    reason: str = ""
    reference: str = ""


class HoldEnded(msgspec.Struct, frozen=True, kw_only=True):
    """How a hold ended; `balance` is what the member has now."""

    hold_id: int
    outcome: str
    captured: int
    released: int
    transfer_id: int | None
    balance: int
    tier: str | None
    is_duplicate: bool


class TransferWish(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to give points to another member; of the kind that the programme's transfers are of, if none is named."""

    profile_id: UUID
    to_profile_id: UUID
    programme: str
    points: int
    kind: str | None = None
    idempotency_key: str
    reason: str = ""
    reference: str = ""


class Transferred(msgspec.Struct, frozen=True, kw_only=True):
    """Points that somebody gave; `balance` and `tier` are the giver's."""

    transfer_id: int
    balance: int
    tier: str | None
    is_duplicate: bool


class AdjustmentWish(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to give points by hand, or to take some (below zero); `maker` is who wishes it.

    `effective_on` is the business day it counts from, today where none is named.
    """

    profile_id: UUID
    programme: str
    points: int
    kind: str | None = None
    effective_on: date | None = None
    reason: str
    reference: str = ""
    idempotency_key: str
    maker: str


class AdjustmentState(enum.StrEnum):
    """How far an adjustment is."""

    WAITING = "waiting"
    POSTED = "posted"
    REJECTED = "rejected"


class Adjustment(msgspec.Struct, frozen=True, kw_only=True):
    """Points given or taken by hand; one that waits needs the confirmation of a second key.

    `balance` and `tier` are as of the answer that posted it.
    """

    adjustment_id: int
    idempotency_key: str
    programme: str
    profile_id: UUID
    points: int
    kind: str | None = None
    effective_on: date | None = None
    reason: str
    reference: str = ""
    state: AdjustmentState
    maker: str
    proposed_at: datetime
    checker: str | None = None
    decided_at: datetime | None = None
    transfer_id: int | None = None
    balance: int | None = None
    tier: str | None = None
    is_duplicate: bool = False


class PointsMoved(msgspec.Struct, frozen=True, kw_only=True):
    """Payload of `programme.points_moved`: by `cause`, so many points more or (below zero) less can be spent."""

    profile_id: UUID
    programme: str
    cause: str
    points: int
    balance: int | None
    transfer_id: int | None
    kind: str


class Backing(msgspec.Struct, frozen=True, kw_only=True):
    """Whose account it is: the living member behind it."""

    account_id: int
    profile_id: UUID
    programme: str
    kind: str | None


class OpenLot(msgspec.Struct, frozen=True, kw_only=True):
    """Points of one accrual that are left; they can be spent through the day before `expires_on`."""

    lot_id: int
    points: int
    expires_on: date | None
    available_from: date | None
    is_pending: bool


class KindPoints(msgspec.Struct, frozen=True, kw_only=True):
    """What a member has of one kind of points, told as `MemberPoints` tells it."""

    balance: int
    spendable: int
    pending: int
    held: int
    owed: int
    lots: list[OpenLot]


class MemberPoints(msgspec.Struct, frozen=True, kw_only=True):
    """What a member has on a day: `balance` is all but what is held; of it `spendable` can be spent now.

    Where the programme has several kinds of points, that is of the first, and `kinds` has all.
    """

    profile_id: UUID
    programme: str
    tier: str | None
    on: date
    balance: int
    spendable: int
    pending: int
    held: int
    owed: int
    lots: list[OpenLot]
    kinds: dict[str, KindPoints] = {}


class QuotedLot(msgspec.Struct, frozen=True, kw_only=True):
    """Points of a kind a purchase would earn, and when they could be spent; null: at once, and for ever."""

    points: int
    kind: str
    available_from: date | None
    expires_on: date | None


class PurchaseQuote(msgspec.Struct, frozen=True, kw_only=True):
    """What a purchase would earn, and why it earns nothing where it does not; `kinds` has the points of all kinds."""

    points: int
    kinds: dict[str, int] = {}
    outcome: str
    effective_on: date
    lots: list[QuotedLot]
    tier: str | None


class RedemptionQuote(msgspec.Struct, frozen=True, kw_only=True):
    """Whether points could be redeemed, and how many are missing if not; `balance_after` could be spent then."""

    is_possible: bool
    points: int
    spendable: int
    points_missing: int
    balance_after: int | None
    pending: int
    tier: str | None
