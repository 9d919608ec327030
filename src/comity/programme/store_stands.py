"""Statements of what purchases have earned, and of what is known of them."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

from comity.definitions.types import ActivityKind, SlidingExpiry, Span
from comity.kernel.database import Tx
from comity.kernel.sql import Jsonb, SqlFolder
from comity.programme.stands import (
    BookedEarning,
    BookedLot,
    HeldLot,
    PurchaseState,
    Stand,
    list_drawn,
    to_draws,
)
from comity.programme.types import EarnOutcome

_sql = SqlFolder(__package__)


def list_earners(tx: Tx, *, programme: str, purchase_ids: Sequence[int]) -> list[tuple[int, UUID]]:
    """Return (purchase, profile) of those purchases that have earned, if only nothing."""
    rows = _sql.list_earners.rows(tx, programme=programme, purchase_ids=list(purchase_ids))
    return [(purchase_id, profile_id) for purchase_id, profile_id in rows]


def list_latest(tx: Tx, *, member_ids: Sequence[int]) -> dict[int, tuple[datetime, int]]:
    """Return when members bought last, and what, by member id."""
    rows = _sql.list_latest.rows(tx, member_ids=list(member_ids))
    return {member_id: (occurred_at, purchase_id) for member_id, occurred_at, purchase_id in rows}


def list_stands(
    tx: Tx, *, programme: str, member_ids: Sequence[int], purchase_ids: Sequence[int] | None
) -> list[Stand]:
    """Return what purchases of members have earned, with their lots; all of theirs where none are named."""
    rows = _sql.list_stands.rows(
        tx,
        programme=programme,
        member_ids=list(member_ids),
        purchase_ids=None if purchase_ids is None else list(purchase_ids),
    )
    lots: dict[int, list[BookedLot]] = {}
    for lot in _sql.list_lots.fetch(tx, BookedLot, programme=programme, purchase_ids=[row[0] for row in rows]):
        lots.setdefault(lot.purchase_id, []).append(lot)
    return [
        Stand(
            purchase_id=purchase_id,
            member_id=member_id,
            occurred_at=occurred_at,
            effective_on=effective_on,
            points=points,
            further_points=further_points,
            outcome=EarnOutcome(outcome),
            counted=tuple((counter, period, amount) for counter, period, amount in counted or ()),
            drawn=to_draws(drawn or ()),
            lots=tuple(lots.get(purchase_id, ())),
        )
        for purchase_id, member_id, occurred_at, effective_on, points, further_points, outcome, counted, drawn in rows
    ]


def list_states(tx: Tx, *, purchase_ids: Sequence[int]) -> list[PurchaseState]:
    """Return purchases as they are known now."""
    return _sql.list_states.fetch(tx, PurchaseState, purchase_ids=list(purchase_ids))


def list_overdue(tx: Tx, *, programme: str, today: date, after_purchase_id: int, limit_max: int) -> list[int]:
    """Return a page of purchases with points that have waited long enough."""
    rows = _sql.list_overdue.rows(
        tx, programme=programme, today=today, after_purchase_id=after_purchase_id, limit_max=limit_max
    )
    return [purchase_id for (purchase_id,) in rows]


def has_slid(tx: Tx, *, programme: str, today: date) -> bool:
    """Return whether all lots have got what activity up to a day gives them."""
    return bool(_sql.has_slid.value(tx, programme=programme, today=today))


def list_sliding(
    tx: Tx,
    *,
    programme: str,
    kind: str | None,
    expiry: SlidingExpiry,
    today: date,
    timezone: str,
    limit_max: int,
) -> list[HeldLot]:
    """Return lots of a kind (None: the first) whose expiry activity puts off."""
    return _sql.list_sliding.fetch(
        tx,
        HeldLot,
        programme=programme,
        kind=kind,
        today=today,
        timezone=timezone,
        after=_to_interval(expiry.after),
        at_most=_to_interval(expiry.at_most) if expiry.at_most else None,
        purchases=ActivityKind.PURCHASE in expiry.activities,
        earnings=ActivityKind.EARN in expiry.activities,
        redemptions=ActivityKind.REDEEM in expiry.activities,
        visits=ActivityKind.VISIT in expiry.activities,
        limit_max=limit_max,
    )


def end_sliding(tx: Tx, *, programme: str, today: date) -> None:
    """Note that all lots have got what activity up to a day gives them."""
    _sql.end_sliding.execute(tx, programme=programme, today=today)


def _to_interval(span: Span) -> str:
    return f"{span.years} years {span.months} months {span.days} days"


def find_open_day(tx: Tx, *, units: Sequence[str]) -> date | None:
    """Return the first day of the books that no lock covers, or None where all days are open."""
    return _sql.find_open_day.value(tx, units=list(units))


def put_earnings(
    tx: Tx, *, programme: str, stands: Sequence[Stand], transfer_ids: Mapping[int, int], now: datetime
) -> None:
    """Bring what purchases have earned up to date; the transfers are those of their first lots."""
    if stands:
        rows = [
            {
                "purchase_id": each.purchase_id,
                "member_id": each.member_id,
                "points": each.points,
                "further_points": each.further_points,
                "outcome": each.outcome,
                "effective_on": each.effective_on,
                "occurred_at": each.occurred_at,
                "counted": each.counted or None,
                "drawn": list_drawn(each.drawn),
                "transfer_id": transfer_ids.get(each.purchase_id),
            }
            for each in stands
        ]
        _sql.put_earnings.execute(tx, programme=programme, earnings=Jsonb(rows), earned_at=now)


def put_lots(tx: Tx, *, programme: str, lots: Sequence[BookedLot]) -> None:
    """Bring lots of purchases up to date."""
    _sql.put_lots.execute(tx, programme=programme, lots=Jsonb(lots))


def list_booked(tx: Tx, *, purchase_ids: Sequence[int]) -> list[BookedEarning]:
    """Return what purchases earned in each programme, lot by lot."""
    return _sql.list_booked.fetch(tx, BookedEarning, purchase_ids=list(purchase_ids)) if purchase_ids else []
