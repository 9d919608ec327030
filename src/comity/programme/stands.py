"""What purchases have earned so far, lot by lot, and what is known of them now."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from comity.programme.engine.correcting import Cause
from comity.programme.engine.facts import Draw, Terms
from comity.programme.types import EarnOutcome

_REASONS = {
    Cause.LATE: "The purchase came late.",
    Cause.CORRECTED: "The purchase was corrected.",
    Cause.CANCELLED: "The purchase was cancelled.",
    Cause.CONSEQUENCE: "Another purchase changed what this one earns.",
}


class BookedLot(msgspec.Struct, frozen=True, kw_only=True):
    """A lot that a purchase made: `points` are what it should be worth by now, `kept` what could not be taken back.

    `take_count` is how often something was taken back of it, `term_count` how often its terms were changed. The rest
    are its terms as the engine knows them.
    """

    purchase_id: int
    lot_number: int
    transfer_id: int
    currency: str
    points: int
    kept: int = 0
    take_count: int = 0
    term_count: int = 0
    available_from: date | None
    expires_on: date | None
    awaits: str | None = None
    waits_until: date | None = None

    @property
    def terms(self) -> Terms:
        """The terms, as one value."""
        return Terms(
            available_from=self.available_from,
            expires_on=self.expires_on,
            awaits=self.awaits,
            waits_until=self.waits_until,
        )


class HeldLot(msgspec.Struct, frozen=True, kw_only=True):
    """An open lot of a member with its terms of now, and the member's last activity before it expires."""

    profile_id: UUID
    lot_id: int
    earned_on: date
    expires_on: date
    available_from: date | None
    is_pending: bool
    day: date


class Stand(msgspec.Struct, frozen=True, kw_only=True):
    """What a purchase has earned so far, and how it was counted."""

    purchase_id: int
    member_id: int
    occurred_at: datetime
    effective_on: date
    points: int
    further_points: dict[str, int] | None = None
    outcome: EarnOutcome
    counted: tuple[tuple[str, str, int], ...] = ()
    drawn: tuple[Draw, ...] = ()
    lots: tuple[BookedLot, ...] = ()


def to_draws(rows: Iterable[Sequence[Any]]) -> tuple[Draw, ...]:
    """Return stored draws on budgets as the engine knows them."""
    return tuple(
        Draw(counter=(counter, period), amount=amount, back=back, before=before)
        for counter, period, amount, back, before in rows
    )


def list_drawn(draws: Iterable[Draw]) -> list[tuple[str, str, int, int, int]] | None:
    """Return draws on budgets as they are stored; None for none."""
    return [(*each.counter, each.amount, each.back, each.before) for each in draws] or None


class PurchaseState(msgspec.Struct, frozen=True, kw_only=True):
    """A purchase as it is known now, with what has happened since.

    `returns` are `amount_minor`, `lines` (or none) and `occurred_at` (ISO 8601), in the order of time; `events` such
    moments by name.
    """

    purchase_id: int
    occurred_at: datetime
    amount_minor: int
    currency: str
    is_cancelled: bool
    details: dict[str, Any] | None
    system: str
    external_id: str
    returns: list[dict[str, Any]]
    events: dict[str, str] = {}


class BookedEarning(msgspec.Struct, frozen=True, kw_only=True):
    """What a purchase earned in a programme, with one of its lots, or none; `booked_on` is the day of the lot."""

    purchase_id: int
    programme: str
    points: int
    further_points: dict[str, int] | None
    outcome: EarnOutcome
    effective_on: date
    currency: str | None
    lot_points: int | None
    kept: int | None
    booked_on: date | None
    available_from: date | None
    expires_on: date | None


def tell_cause(cause: str, state: PurchaseState | None) -> str:
    """Say to people why points of a purchase are taken back; it stands in the member's statement."""
    if cause == Cause.CORRECTED and state is not None and state.returns:
        return "The purchase was returned, or corrected."
    return _REASONS[Cause(cause)]
