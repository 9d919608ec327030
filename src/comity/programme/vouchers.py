"""What crosses the door about rewards and the vouchers that members get for points."""

import enum
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from comity.kernel.errors import Conflict, NotFound, Refused

REWARD_ISSUED = "programme.reward_issued"
VOUCHER_USED = "programme.voucher_used"
VOUCHER_CANCELLED = "programme.voucher_cancelled"
VOUCHER_EXPIRED = "programme.voucher_expired"
"""Kinds of events; the payload is VoucherMoved. No event tells the code."""


class UnknownReward(NotFound):
    """The programme has no such reward."""


class RewardRefused(Refused):
    """The member cannot have this reward now; the details say why."""


class UnknownVoucher(NotFound):
    """There is no voucher of this code."""


class VoucherEnded(Conflict):
    """The voucher has been used or has ended already; the details say how and when."""


class VoucherNotUsed(Conflict):
    """The voucher has not been used; cancel it instead."""


class VoucherState(enum.StrEnum):
    """How far a voucher is: it can be used while it is `issued`; points come back when `cancelled` or `returned`."""

    ISSUED = "issued"
    USED = "used"
    CANCELLED = "cancelled"
    RETURNED = "returned"
    EXPIRED = "expired"


class VoucherVerb(enum.StrEnum):
    """What can be done with a voucher."""

    USE = "use"
    CANCEL = "cancel"
    RETURN = "return"


class RewardWish(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to have a reward for points."""

    profile_id: UUID
    programme: str
    reward: str
    idempotency_key: str
    reference: str = ""


class VoucherWish(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to use, cancel or return a voucher."""

    code: str
    idempotency_key: str
    reason: str = ""


class Voucher(msgspec.Struct, frozen=True, kw_only=True):
    """What a member has had for points: a code that can be used once, before `expires_on`.

    `minor` is its value in money, where it has one. `profile_id` is who has it now; `points` are what it cost, and of
    which `kind`.
    """

    voucher_id: int
    code: str
    programme: str
    reward: str
    title: str
    profile_id: UUID
    points: int
    kind: str
    minor: int | None
    currency: str
    issued_at: datetime
    expires_on: date | None
    state: VoucherState
    used_at: datetime | None
    ended_at: datetime | None


class VoucherTold(msgspec.Struct, frozen=True, kw_only=True):
    """A voucher as it stands now; where points moved, `balance` can be spent by the member now, `pending` not yet."""

    voucher: Voucher
    is_duplicate: bool
    balance: int | None = None
    pending: int | None = None
    tier: str | None = None


class RewardOffer(msgspec.Struct, frozen=True, kw_only=True):
    """A reward, and whether a member can have it now: `reason` says why not, `details` the numbers that decide."""

    name: str
    title: str
    price: int
    kind: str
    minor: int | None
    currency: str
    first_day: date | None
    last_day: date | None
    stock_left: int | None
    is_available: bool
    reason: str | None
    details: dict[str, Any]


class VoucherMoved(msgspec.Struct, frozen=True, kw_only=True):
    """Payload of the events of vouchers; `points` are what it cost, or what came back."""

    profile_id: UUID
    programme: str
    voucher_id: int
    reward: str
    points: int
    state: VoucherState


class KnownVoucher(msgspec.Struct, frozen=True, kw_only=True):
    """A voucher, and the wish it came from."""

    voucher: Voucher
    idempotency_key: str
    asked_profile_id: UUID
    reference: str


class HeldVoucher(msgspec.Struct, frozen=True, kw_only=True):
    """A voucher nobody else changes in this transaction."""

    voucher_id: int
    code: str
    programme: str
    reward: str
    points: int
    kind: str
    transfer_id: int
    counted: list[tuple[str, str, int]]
    expires_on: date | None
    state: VoucherState
    used_at: datetime | None
    used_key: str | None
    ended_at: datetime | None
    ended_key: str | None
