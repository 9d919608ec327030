"""What crosses the door of the ledger."""

import enum
from datetime import date, datetime

import msgspec

from comity.kernel.errors import Conflict, Invalid, NotFound

AMOUNT_MAX = 1_000_000_000_000_000
"""Largest amount of one transfer: sums of several thousand of them still fit 64 bits."""

POSTINGS_MAX = 10_000
"""Most postings of one call; batches of 100 to 1,000 are the quickest."""

TEXT_LENGTH_MAX = 500
"""Longest idempotency key, reason or source key."""


class Book(enum.StrEnum):
    """The two books; no transfer crosses them."""

    POINTS = "points"
    MONEY = "money"


class AccountKind(enum.StrEnum):
    """What an account stands for.

    Holders (member, pool, reserved, suspense) are guarded: they have a stored balance, hold their points by lots and
    are never below zero but for a debt that was allowed by name. The others are the other side of them: their balance
    is the sum of their entries.
    """

    MEMBER = "member"
    POOL = "pool"
    RESERVED = "reserved"
    SUSPENSE = "suspense"
    PROGRAMME = "programme"
    PARTNER = "partner"
    EXPIRED = "expired"
    MONEY = "money"


HOLDERS = frozenset({AccountKind.MEMBER, AccountKind.POOL, AccountKind.RESERVED, AccountKind.SUSPENSE})
"""The kinds whose points are outstanding: somebody may still spend them."""


class Takes(enum.StrEnum):
    """Which lots a debit of a holder takes after those it names."""

    SPENDABLE = "spendable"
    """What has not expired and is not pending on the posting's day; soonest expiry first, then the oldest."""
    ANY = "any"
    """Pending and expired lots too, in the same order; for moves of all that somebody holds."""
    NAMED = "named"
    """Nothing but the named pieces."""


class PostingStatus(enum.StrEnum):
    """The verdict on one posting."""

    POSTED = "posted"
    DUPLICATE = "duplicate"
    KEY_REUSED = "key_reused"
    INSUFFICIENT = "insufficient"
    UNKNOWN_ACCOUNT = "unknown_account"
    INVALID = "invalid"
    ALREADY_REVERSED = "already_reversed"
    ALREADY_RESOLVED = "already_resolved"
    OVERDUE = "overdue"
    NOTHING_TAKEN = "nothing_taken"


class UnknownAccount(NotFound):
    """There is no such account."""


class UnknownTransfer(NotFound):
    """There is no such transfer."""


class PeriodOrder(Conflict):
    """Books are closed day by day forward; to open days again needs a second person, to close none that are closed."""


class TooManyPostings(Invalid):
    """One call takes at most 10,000 postings; send several."""


class NewAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account to open. (book, unit, kind, owner) names it for good; owner is a key of the room that opens it."""

    book: Book
    unit: str
    kind: AccountKind
    owner: str


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """When the points of a lot can be spent: from `available_from` on and before `expires_on`.

    Null means at once, and for ever. `is_pending`: from a day that an event has yet to name.
    """

    expires_on: date | None = None
    available_from: date | None = None
    is_pending: bool = False


FREELY = Terms()


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """So much of a lot. The terms count where a lot comes back to an account that holds none of it."""

    lot_id: int
    amount: int
    terms: Terms = FREELY


class MoneyLeg(msgspec.Struct, frozen=True, kw_only=True):
    """What is booked in the money book by the same journal, in minor units; the caller has rounded it."""

    debit_account_id: int
    credit_account_id: int
    amount_minor: int


class Posting(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to move an amount from one account to another.

    `system` and `external_id` are the key of the source that caused it; only with it can a merge of two people be
    undone. `request` is the text the idempotency key stands for; without it that is accounts, amount, kind,
    reason, source, money and terms. `reference` is what the transfer is in the accounts outside.

    A holder that is credited from outside gets a new lot of these `terms`; between holders the lots themselves move.
    `pieces` name lots that go (or come back) first, `takes` says what else may be taken. `may_owe` lets a debit go
    beyond what there is: the debt is paid by the next accruals.
    """

    idempotency_key: str
    debit_account_id: int
    credit_account_id: int
    amount: int
    kind: str
    effective_on: date
    system: str
    external_id: str
    reason: str = ""
    request: str | None = None
    reverses_transfer_id: int | None = None
    reversal_number: int = 1
    terms: Terms = FREELY
    pieces: tuple[Piece, ...] = ()
    takes: Takes = Takes.SPENDABLE
    may_owe: bool = False
    money: MoneyLeg | None = None
    reference: str = ""


class PostingVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one posting; a duplicate gets the transfer and the balances of the first time."""

    status: PostingStatus
    transfer_id: int | None = None
    debit_balance_after: int | None = None
    credit_balance_after: int | None = None

    @property
    def is_booked(self) -> bool:
        """True when the transfer stands in the books, now or already before."""
        return self.status in {PostingStatus.POSTED, PostingStatus.DUPLICATE}

    @property
    def balance_after(self) -> int | None:
        """Balance of the guarded account; of the debited one when both are."""
        return self.credit_balance_after if self.debit_balance_after is None else self.debit_balance_after


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to move all that an account holds to another."""

    source_account_id: int
    target_account_id: int
    idempotency_key: str
    kind: str
    effective_on: date
    system: str
    external_id: str
    reason: str = ""


class ReturnPolicy(enum.StrEnum):
    """What happens when points to be taken back have been spent."""

    EXACT = "exact"
    """All or nothing: the reversal is refused."""
    ONLY_PENDING = "only_pending"
    """What has become available stays with the member; only what is pending is taken."""
    WITHIN_BALANCE = "within_balance"
    """As much as can be spent; the rest is let go."""
    ALLOW_NEGATIVE = "allow_negative"
    """All of it; the rest is a debt that the next accruals pay."""


class Reversal(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to undo a transfer, or a part of it, by a new one in the other direction.

    `amount` null: all that has not been undone. `account_id`: the account the member has now, where it is another
    than then. `money`: what is undone in the money book;
    a reversal in one piece undoes the whole leg by itself.
    """

    transfer_id: int
    idempotency_key: str
    effective_on: date
    reason: str
    system: str
    external_id: str
    amount: int | None = None
    policy: ReturnPolicy = ReturnPolicy.EXACT
    account_id: int | None = None
    money: MoneyLeg | None = None


class ReversalVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a reversal; `shortfall` is what its policy let go of."""

    status: PostingStatus
    transfer_id: int | None = None
    amount: int = 0
    shortfall: int = 0
    debit_balance_after: int | None = None
    credit_balance_after: int | None = None

    @property
    def is_booked(self) -> bool:
        """True when the reversal counts, now or already before; also when its policy took nothing."""
        return self.status in {PostingStatus.POSTED, PostingStatus.DUPLICATE, PostingStatus.NOTHING_TAKEN}

    @property
    def balance_after(self) -> int | None:
        """Balance of the holder; of the debited one when both are."""
        return self.credit_balance_after if self.debit_balance_after is None else self.debit_balance_after


class NewHold(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to reserve points until a deadline."""

    idempotency_key: str
    account_id: int
    amount: int
    deadline_at: datetime
    effective_on: date
    system: str
    external_id: str
    reason: str = ""


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to spend what a hold reserves, or a part of it (`amount`); the rest is released."""

    idempotency_key: str
    hold_id: int
    credit_account_id: int
    effective_on: date
    system: str
    external_id: str
    amount: int | None = None
    kind: str = "redeem"
    reason: str = ""
    reference: str = ""
    money: MoneyLeg | None = None


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to let go of a hold."""

    idempotency_key: str
    hold_id: int
    effective_on: date
    system: str
    external_id: str
    reason: str = ""


class HoldOutcome(enum.StrEnum):
    """How a hold ended."""

    CAPTURED = "captured"
    RELEASED = "released"
    TIMED_OUT = "timed_out"


class HoldVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a capture or release; `outcome` says how the hold ended, whoever ended it."""

    status: PostingStatus
    outcome: HoldOutcome | None = None
    captured: int = 0
    released: int = 0
    capture_transfer_id: int | None = None
    release_transfer_id: int | None = None


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """What an account holds of a lot; a negative rest is a debt."""

    account_id: int
    lot_id: int
    rest: int
    expires_on: date | None
    available_from: date | None
    is_pending: bool

    @property
    def terms(self) -> Terms:
        """The terms the lot has now."""
        return Terms(expires_on=self.expires_on, available_from=self.available_from, is_pending=self.is_pending)

    def is_waiting(self, day: date) -> bool:
        """True while the points cannot be spent yet."""
        return self.is_pending or (self.available_from is not None and self.available_from > day)

    def is_expired(self, day: date) -> bool:
        """True from the day on which the points are gone."""
        return self.expires_on is not None and self.expires_on <= day

    def is_spendable(self, day: date) -> bool:
        """True on days on which the points can be spent."""
        return self.rest > 0 and not self.is_waiting(day) and not self.is_expired(day)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What a holder can do with its points on a day.

    `balance` is all but what is reserved; `spendable` is free of debts, neither pending nor expired. What has
    `expired` by that day is in neither, though it stands in the books until the expiry is posted.
    """

    account_id: int
    balance: int
    spendable: int
    pending: int
    reserved: int
    owed: int
    expired: int


class TimedOut(msgspec.Struct, frozen=True, kw_only=True):
    """A hold that its deadline ended, and what came back to which account."""

    hold_id: int
    account_id: int
    points: int


class Expired(msgspec.Struct, frozen=True, kw_only=True):
    """What has expired of a lot in an account."""

    account_id: int
    lot_id: int
    points: int


class TrialBalanceRow(msgspec.Struct, frozen=True, kw_only=True):
    """Sum of all entries of one kind of account; the rows of a (book, unit) sum to zero."""

    book: Book
    unit: str
    kind: AccountKind
    account_count: int
    entry_count: int
    balance: int


class StatementLine(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of an account with what its transfer says."""

    transfer_id: int
    amount: int
    balance_after: int | None
    kind: str
    reason: str
    effective_on: date
    booked_at: datetime
    system: str
    external_id: str
    reverses_transfer_id: int | None
    reference: str | None = None


class TermChange(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to change the terms of a lot: pending points become available, an expiry is put off."""

    lot_id: int
    idempotency_key: str
    terms: Terms
    reason: str
