"""What crosses the door about pools, in which members collect together."""

from datetime import datetime
from uuid import UUID

import msgspec

from comity.kernel.errors import NotFound, Refused


class UnknownPool(NotFound):
    """There is no such pool."""


class PoolRefused(Refused):
    """The programme does not allow this in a pool; the details say why."""


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
    """Points that were spent from a pool; `spendable` and `pending` are what it has now."""

    transfer_id: int
    points: int
    spendable: int
    pending: int
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
    """A lot of a purchase of somebody who is in a pool: it was of so many points, of which there is a rest."""

    purchase_id: int
    lot_id: int
    points: int
    rest: int
    member_id: int
    profile_id: UUID
    account_id: int
    pool_member_id: int
    pool_account_id: int
    system: str
    external_id: str


class Pooled(msgspec.Struct, frozen=True, kw_only=True):
    """What was brought of a lot into a pool, and what the pool has of it."""

    lot_id: int
    points: int
    pool_account_id: int
    rest: int
