"""What crosses the door about pools, in which members collect together."""

from datetime import date, datetime
from uuid import UUID

import msgspec

from comity.kernel.errors import Conflict, NotFound, Refused
from comity.ledger.types import Holding


class UnknownPool(NotFound):
    """There is no such pool."""


class PoolRefused(Refused):
    """The programme does not allow this in a pool; the details say why."""


class PoolChanged(Conflict):
    """Somebody joined the pool meanwhile; try again."""


class PoolWish(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to open a pool, as its first member."""

    profile_id: UUID
    programme: str
    idempotency_key: str


class PoolSpending(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to spend points of a pool, as one who is in it."""

    pool_id: int
    profile_id: UUID
    points: int
    idempotency_key: str
    reason: str = ""
    reference: str = ""


class PoolMember(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is in a pool, and since when."""

    profile_id: UUID
    joined_at: datetime


class PoolView(msgspec.Struct, frozen=True, kw_only=True):
    """A pool: who is in it, the first one first, and what it has: `spendable` now, `pending` not yet."""

    pool_id: int
    programme: str
    members: list[PoolMember]
    spendable: int
    pending: int
    is_duplicate: bool = False


class PoolRedeemed(msgspec.Struct, frozen=True, kw_only=True):
    """Points that were spent from a pool: what can be spent of it now, what is pending, and who spent's tier."""

    transfer_id: int
    points: int
    balance: int
    pending: int
    tier: str | None
    is_duplicate: bool


class KnownPool(msgspec.Struct, frozen=True, kw_only=True):
    """A pool and its account."""

    pool_id: int
    programme: str
    account_id: int
    opened_by: UUID


class PoolSeat(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody in a pool, as the living member they are now."""

    pool_member_id: int
    pool_id: int
    member_id: int
    profile_id: UUID
    account_id: int
    joined_at: datetime


class Contribution(msgspec.Struct, frozen=True, kw_only=True):
    """A lot of a purchase of somebody who is in a pool: it was of so many points, of which there is a rest.

    `seat_profile_id` is the Global ID that joined the pool; the member may stand for it.
    """

    purchase_id: int
    lot_id: int
    points: int
    rest: int
    member_id: int
    profile_id: UUID
    account_id: int
    pool_member_id: int
    seat_profile_id: UUID
    pool_account_id: int
    system: str
    external_id: str
    expires_on: date | None
    available_from: date | None
    is_pending: bool

    def to_holding(self) -> Holding:
        """Return what the member has of the lot."""
        return _hold(self, self.account_id)


class Pooled(msgspec.Struct, frozen=True, kw_only=True):
    """What a pool has of a lot, and the transfer that brought it; of that, so many others have brought a part back.

    `earned_by` is the member whose purchase it is of, `brought_by` the membership by which it went there.
    """

    lot_id: int
    transfer_id: int
    back_count: int
    pool_id: int
    pool_account_id: int
    rest: int
    expires_on: date | None
    available_from: date | None
    is_pending: bool
    earned_by: int
    brought_by: int
    system: str
    external_id: str

    def to_holding(self) -> Holding:
        """Return what the pool has of the lot."""
        return _hold(self, self.pool_account_id)


class Homing(msgspec.Struct, frozen=True, kw_only=True):
    """Points of a lot that come back from a pool, to an account and on a day."""

    lot: Pooled
    amount: int
    account_id: int
    day: date


def _hold(lot: Contribution | Pooled, account_id: int) -> Holding:
    return Holding(
        account_id=account_id,
        lot_id=lot.lot_id,
        rest=lot.rest,
        expires_on=lot.expires_on,
        available_from=lot.available_from,
        is_pending=lot.is_pending,
    )
