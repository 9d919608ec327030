"""What reports of the ledger say; they cross the door through `api`."""

from datetime import date, datetime

import msgspec

from comity.kernel.errors import NotFound, Refused

PERIOD_REOPENED = "ledger.period_reopened"
"""Kind of the event that closed days were opened again."""


class UnknownUnit(NotFound):
    """Nothing is booked in points of that name; `comity ledger trial-balance` lists the units there are."""


class DayNotOver(Refused):
    """A day that is not over cannot be closed: what happens on it would be booked on another."""


class NotYetKnown(Refused):
    """What was known then is decided once something is sealed later. Ask for an earlier time, or leave it out."""


class PeriodLock(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that closed the books of a unit through a day; with `confirmed_by` it opened the days after it."""

    book: str
    unit: str
    locked_through: date
    locked_at: datetime
    locked_by: str
    confirmed_by: str | None
    reason: str
    is_in_force: bool


class PeriodReopened(msgspec.Struct, frozen=True, kw_only=True):
    """Payload of `ledger.period_reopened`: these closed days are open again, first and last day included."""

    book: str
    unit: str
    first_on: date
    last_on: date
    by: str
    confirmed_by: str
    reason: str


class RollForward(msgspec.Struct, frozen=True, kw_only=True):
    """What changed the outstanding points of a unit in a period, first and last day included."""

    unit: str
    first_on: date
    last_on: date
    opening: int
    issued: int
    redeemed: int
    expired: int
    adjusted: int
    closing: int


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A block of the hash chain; digests in hexadecimal. Notes are what stands beside the transfers."""

    block_number: int
    first_transfer_id: int
    last_transfer_id: int
    transfer_count: int
    total_count: int
    note_count: int
    previous_digest: str
    digest: str
    sealed_at: datetime


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What a check of the books found; no problems means that they hold. Unsealed are transfers and notes."""

    block_count: int
    transfer_count: int
    note_count: int
    unsealed_count: int
    head_digest: str
    problems: list[str]


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """One transfer as it stands in the books."""

    transfer_id: int
    idempotency_key: str
    kind: str
    amount: int
    debit_account_id: int
    debit_kind: str
    credit_account_id: int
    credit_kind: str
    book: str
    unit: str
    effective_on: date
    original_on: date | None
    booked_at: datetime
    system: str
    external_id: str
    reason: str
    reverses_transfer_id: int | None
    money_debit_account_id: int | None
    money_credit_account_id: int | None
    money_amount: int | None
    block_number: int | None
    reversed_by: list[int]
    reference: str | None = None


class TraceLine(msgspec.Struct, frozen=True, kw_only=True):
    """What one transfer did to one lot in one account."""

    lot_id: int
    transfer_id: int
    account_id: int
    account_kind: str
    amount: int
    kind: str
    effective_on: date
    booked_at: datetime
    system: str
    external_id: str
    reason: str
    reverses_transfer_id: int | None
    reference: str | None = None


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """A transfer, and the whole story of every lot it made, took from, moved or gave back to."""

    transfer: Transfer
    lines: list[TraceLine]
