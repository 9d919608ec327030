"""What crosses the door of the ledger."""

import enum
from datetime import date, datetime

import msgspec

from comity.kernel.errors import Invalid, NotFound

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
    """What an account stands for. Member accounts are guarded: they hold a stored balance that is never negative."""

    MEMBER = "member"
    PROGRAMME = "programme"


class PostingStatus(enum.StrEnum):
    """The verdict on one posting."""

    POSTED = "posted"
    DUPLICATE = "duplicate"
    KEY_REUSED = "key_reused"
    INSUFFICIENT = "insufficient"
    UNKNOWN_ACCOUNT = "unknown_account"
    INVALID = "invalid"
    ALREADY_REVERSED = "already_reversed"


class UnknownAccount(NotFound):
    """There is no such account."""


class TooManyPostings(Invalid):
    """One call takes at most 10,000 postings; send several."""


class NewAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account to open. (book, unit, kind, owner) names it for good; owner is a key of the room that opens it."""

    book: Book
    unit: str
    kind: AccountKind
    owner: str


class Posting(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to move an amount from one account to another.

    `system` and `external_id` are the key of the source that caused it; only with it can a merge of two people be
    undone. `request` is the text the idempotency key stands for; without it that is accounts, amount, kind,
    reason and source.
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


class Reversal(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to undo one transfer in full by a new one in the other direction."""

    transfer_id: int
    idempotency_key: str
    effective_on: date
    reason: str
    system: str
    external_id: str


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


class TransferLegs(msgspec.Struct, frozen=True, kw_only=True):
    """Both legs of a transfer."""

    transfer_id: int
    debit_account_id: int
    credit_account_id: int
    amount: int
    reverses_transfer_id: int | None
