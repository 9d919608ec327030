"""Purchases and returns told at the counter: the wishes, what is answered, and what is refused."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from comity.activity.types import RecordReference
from comity.kernel.errors import Conflict, Invalid, NotFound, Refused
from comity.programme.types import EarnOutcome

STREAM_OF_PURCHASES = "purchases"
STREAM_OF_RETURNS = "returns"
"""What the counter tells of stands in these streams of the hub's own system."""


class PurchaseInvalid(Invalid):
    """The purchase or return cannot be taken; the details name the place."""


class UnknownPurchase(NotFound):
    """There is no purchase of this number, or nobody knows yet whose it is."""


class PurchaseOfAnother(Conflict):
    """The purchase of this number is somebody else's."""


class ReturnRefused(Refused):
    """So much cannot come back of this purchase; `reason` and the details say why."""


class PurchaseWish(msgspec.Struct, frozen=True, kw_only=True):
    """A purchase of a member; `number` is the same wherever the purchase is reported.

    The person is named by a Global ID, or by a record in a system (`name_profile` says a Global ID as one): the
    purchase goes wherever that belongs.
    """

    person: RecordReference
    number: str
    occurred_at: datetime
    amount_minor: int
    currency: str
    details: dict[str, Any] | None = None


class ReturnWish(msgspec.Struct, frozen=True, kw_only=True):
    """A return of a purchase: of all that is left where no amount is told; `number` is the return's own."""

    number: str
    purchase_number: str
    occurred_at: datetime | None = None
    amount_minor: int | None = None
    currency: str | None = None
    profile_id: UUID | None = None
    details: dict[str, Any] | None = None


class RuleTold(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule, bonus, cap or budget (`kind`) contributed, of the points named in `of`."""

    kind: str
    rule: str
    points: int
    of: str


class LotTold(msgspec.Struct, frozen=True, kw_only=True):
    """Points of a `kind` that a purchase gave: until when, and on which day of the books.

    `booked_on` is later than the purchase's own day where that day was closed: then it is the first open one.
    """

    points: int
    kind: str
    booked_on: date
    available_from: date | None
    expires_on: date | None


class KindEarned(msgspec.Struct, frozen=True, kw_only=True):
    """What the purchase is worth in one kind of points, and how the member stands there."""

    points: int
    balance: int
    spendable: int
    pending: int
    taken_back: int = 0
    shortfall: int = 0


class EarnedIn(msgspec.Struct, frozen=True, kw_only=True):
    """What the purchase is worth in a programme by now, and how the member stands there, as of the commit.

    `rules` add up to what it earned; `taken_back` is what this return took, `shortfall` what the policy of returns left
    with the member. Where the programme has several kinds of points, all this is of the first, and `kinds` has all.
    """

    programme: str
    points: int
    outcome: EarnOutcome | None
    effective_on: date | None
    rules: list[RuleTold]
    lots: list[LotTold]
    balance: int
    spendable: int
    pending: int
    tier: str | None
    taken_back: int = 0
    shortfall: int = 0
    kinds: dict[str, KindEarned] = {}


class PurchaseTold(msgspec.Struct, frozen=True, kw_only=True):
    """A purchase as it stands, and what it earned in each programme its person is a member of.

    `is_differing`: another report came first and says something else; that one counts.
    """

    purchase_id: int
    number: str
    global_id: UUID
    occurred_at: datetime
    amount_minor: int
    currency: str
    returned_minor: int
    is_differing: bool
    is_duplicate: bool
    programmes: list[EarnedIn]


class ReturnTold(msgspec.Struct, frozen=True, kw_only=True):
    """A return, and what its purchase is worth since."""

    number: str
    returned_minor: int
    left_minor: int
    is_duplicate: bool
    purchase: PurchaseTold
