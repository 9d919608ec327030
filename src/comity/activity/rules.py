"""Decisions of the room `activity`."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from comity.activity.types import (
    PURCHASES_MAX,
    EventFact,
    ProfileMove,
    PurchaseChanged,
    PurchaseDiffers,
    PurchaseFact,
    PurchaseRecorded,
    Rfv,
    Taken,
    TooManyPurchases,
    Turnover,
    UnknownTimeZone,
)

LAST_DAY = date(9999, 12, 29)
"""The last day that has ended everywhere before the calendar does."""

_RECORDED_FIELDS = PurchaseRecorded.__struct_fields__


def check_batch(purchases: Sequence[object], profile_ids: Sequence[object]) -> None:
    """Refuse a batch that is too large, and profile ids that do not go with the purchases."""
    if len(purchases) > PURCHASES_MAX:
        raise TooManyPurchases(details={"count": len(purchases), "count_max": PURCHASES_MAX})
    if len(purchases) != len(profile_ids):
        raise ValueError("purchases and profile_ids go together and have one length")


def to_payload(fact: msgspec.Struct) -> dict[str, Any]:
    """Turn a struct into the payload of an event."""
    return msgspec.structs.asdict(fact)


def plan_recorded(taken: Sequence[Taken]) -> list[dict[str, Any]]:
    """Return the payloads of the facts that got their profile just now."""
    return [{name: getattr(each, name) for name in _RECORDED_FIELDS} for each in taken if each.is_recorded]


def plan_changed(taken: Sequence[Taken]) -> list[PurchaseChanged]:
    """Return the facts that say something else now; one that is recorded just now says so there."""
    recorded = {each.purchase_id for each in taken if each.is_recorded}
    return [
        PurchaseChanged(purchase_id=each.purchase_id, profile_id=each.profile_id)
        for each in taken
        if each.is_changed and each.purchase_id not in recorded and each.profile_id is not None
    ]


def list_events(purchases: Sequence[PurchaseFact], taken: Sequence[Taken]) -> list[EventFact]:
    """Return what reports say of events, each with the key of the fact it speaks of."""
    return [
        EventFact(
            system=report.system,
            stream=report.stream,
            external_id=report.external_id,
            name=name,
            purchase_key=fact.business_key,
            happened_at=happened_at,
        )
        for report, fact in zip(purchases, taken, strict=True)
        for name, happened_at in (report.events or {}).items()
    ]


def leave_out(changed: Sequence[PurchaseChanged], purchase_ids: Sequence[int]) -> list[PurchaseChanged]:
    """Return each changed purchase once, without these."""
    found = {each.purchase_id: each for each in changed}
    return [each for purchase_id, each in found.items() if purchase_id not in set(purchase_ids)]


def plan_differing(purchases: Sequence[PurchaseFact], taken: Sequence[Taken]) -> list[dict[str, Any]]:
    """Return the payloads of the reports that differ from their fact and did not before."""
    return [
        to_payload(
            PurchaseDiffers(
                purchase_id=fact.purchase_id,
                business_key=fact.business_key,
                system=report.system,
                stream=report.stream,
                external_id=report.external_id,
                amount_minor=fact.amount_minor,
                currency=fact.currency,
                reported_amount_minor=report.amount_minor,
                reported_currency=report.currency,
            )
        )
        for report, fact in zip(purchases, taken, strict=True)
        if fact.is_news
    ]


def collapse_moves(moves: Sequence[ProfileMove]) -> list[ProfileMove]:
    """Let each loser point at who survives all moves of the batch: a to b, b to c is a to c, b to c."""
    survivors: dict[UUID, UUID] = {}
    for move in moves:
        survivors.setdefault(move.loser_profile_id, move.loser_profile_id)
        for loser, survivor in survivors.items():
            if survivor == move.loser_profile_id:
                survivors[loser] = move.survivor_profile_id
    return [
        ProfileMove(loser_profile_id=loser, survivor_profile_id=survivor)
        for loser, survivor in survivors.items()
        if loser != survivor
    ]


def to_zone(timezone: str) -> ZoneInfo:
    """Return the time zone of that name. Raises UnknownTimeZone."""
    try:
        return ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        raise UnknownTimeZone(details={"timezone": timezone[:60]}) from None


def to_end(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant after a day, where clocks show that zone."""
    return datetime.combine(min(day, LAST_DAY) + timedelta(days=1), time(), tzinfo=zone).astimezone(UTC)


def to_rfv(turnover: Turnover, zone: ZoneInfo) -> Rfv:
    """Tell the last purchase by its day in that zone."""
    last_at = turnover.last_purchase_at
    return Rfv(
        profile_id=turnover.profile_id,
        last_purchase_on=last_at.astimezone(zone).date() if last_at is not None else None,
        purchase_count=turnover.purchase_count,
        value_minor=turnover.value_minor,
    )
