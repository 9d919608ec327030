"""What statements of the ledger return to it alone."""

from datetime import date, datetime

import msgspec

from comity.ledger.types import AccountKind, HoldOutcome, MoneyLeg, Posting, Terms


class AccountFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What an account is."""

    account_id: int
    book: str
    unit: str
    kind: str
    owner: str


class DueLot(msgspec.Struct, frozen=True, kw_only=True):
    """What expires of a lot in an account."""

    account_id: int
    lot_id: int
    rest: int
    effective_on: date
    expired_count: int


class MovedLot(msgspec.Struct, frozen=True, kw_only=True):
    """What a transfer and its reversals moved of a lot in an account, with the lot's terms of now."""

    transfer_id: int
    account_id: int
    lot_id: int
    amount: int
    expires_on: date | None
    available_from: date | None
    is_pending: bool

    @property
    def terms(self) -> Terms:
        """The terms the lot has now."""
        return Terms(expires_on=self.expires_on, available_from=self.available_from, is_pending=self.is_pending)


class HoldState(msgspec.Struct, frozen=True, kw_only=True):
    """A hold, and how it ended."""

    hold_id: int
    account_id: int
    reserved_account_id: int
    amount: int
    deadline_at: datetime
    outcome: str | None = None
    ended_by: str | None = None
    captured: int = 0
    released: int = 0
    capture_transfer_id: int | None = None
    release_transfer_id: int | None = None
    first_account_id: int = 0
    change_count: int = 0


class HoldMove(msgspec.Struct, frozen=True, kw_only=True):
    """Where a hold went."""

    transfer_id: int
    hold_id: int
    account_id: int
    reserved_account_id: int


class LotTerms(msgspec.Struct, frozen=True, kw_only=True):
    """The terms a lot has now."""

    lot_id: int
    expires_on: date | None
    available_from: date | None
    is_pending: bool

    @property
    def terms(self) -> Terms:
        """As postings say them."""
        return Terms(expires_on=self.expires_on, available_from=self.available_from, is_pending=self.is_pending)


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """What a transfer changed of a lot at one holder, where what is reserved counts as the holder's.

    `made_amount` is what it made of the lot, `is_debt` says that the lot is owed. `debit_holder_id` and
    `credit_holder_id` are the transfer's two sides, None where no lots are held. `base_id` is the transfer it reverses,
    or itself; `origin_id` the one on whose behalf it was posted (of a capture: the hold), booked with `origin_key` at
    `origin_account_id`.
    """

    transfer_id: int
    kind: str
    lot_id: int
    holder_id: int
    amount: int
    made_amount: int
    is_debt: bool
    debit_holder_id: int | None
    credit_holder_id: int | None
    base_id: int
    origin_id: int
    origin_key: str
    origin_account_id: int | None


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """What a transfer is in the accounts outside, to be noted."""

    transfer_id: int
    reference: str


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to end a hold: capture `amount` (null: all of it) for an account, and release the rest."""

    outcome: HoldOutcome
    idempotency_key: str
    hold_id: int
    effective_on: date
    system: str
    external_id: str
    reason: str
    kind: str
    credit_account_id: int | None = None
    amount: int | None = None
    money: MoneyLeg | None = None
    reference: str = ""


class EndingPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What ends a hold: one posting for what is captured, one for what is released."""

    capture: Posting | None = None
    release: Posting | None = None


class HoldEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How a hold ended, to be noted."""

    hold_id: int
    outcome: HoldOutcome
    idempotency_key: str
    captured: int = 0
    released: int = 0
    capture_transfer_id: int | None = None
    release_transfer_id: int | None = None


class TakenBack(msgspec.Struct, frozen=True, kw_only=True):
    """What a reversal asked for and got."""

    idempotency_key: str
    transfer_id: int
    wanted: int
    taken: int
    policy: str
    reversal_transfer_id: int | None
    reversal_number: int = 0
    debit_balance_after: int | None = None
    credit_balance_after: int | None = None


class TransferLegs(msgspec.Struct, frozen=True, kw_only=True):
    """Both legs of a transfer, and how much of it has been reversed."""

    transfer_id: int
    debit_account_id: int
    credit_account_id: int
    amount: int
    reverses_transfer_id: int | None
    kind: str = ""
    debit_kind: AccountKind = AccountKind.PROGRAMME
    credit_kind: AccountKind = AccountKind.MEMBER
    money_debit_account_id: int | None = None
    money_credit_account_id: int | None = None
    money_amount: int | None = None
    reversed_amount: int = 0
    reversal_count: int = 0
    held_account_id: int | None = None


class CheckedBlock(msgspec.Struct, frozen=True, kw_only=True):
    """A block as it is stored, and what follows from its transfers and notes as they are now."""

    block_number: int
    first_transfer_id: int
    last_transfer_id: int
    transfer_count: int
    total_count: int
    first_note_id: int
    last_note_id: int
    note_count: int
    digest: str
    found_digest: str
    found_count: int
    found_note_count: int
    is_linked: bool
