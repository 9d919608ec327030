"""Statements of programmes."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from comity.kernel.database import Tx
from comity.kernel.sql import Jsonb, SqlFolder
from comity.programme.ladders import Levels
from comity.programme.stands import list_drawn
from comity.programme.types import (
    Counted,
    Earned,
    Earning,
    EarnOutcome,
    KindStand,
    KnownProgramme,
    LockedMember,
    Member,
)
from comity.programme.wishes import Adjustment, AdjustmentState, AdjustmentWish, Backing

_sql = SqlFolder(__package__)

COUNTED_OUTCOMES = [
    EarnOutcome.EARNED,
    EarnOutcome.BELOW_ONE_POINT,
    EarnOutcome.NOTHING,
    EarnOutcome.RETURNED,
    EarnOutcome.LAPSED,
]


def find_programme(tx: Tx, *, programme: str) -> KnownProgramme | None:
    """Return a programme that has been opened, or None."""
    return _sql.find_programme.fetch_one(tx, KnownProgramme, programme=programme)


def list_opened(tx: Tx) -> list[str]:
    """Return the programmes that have been opened."""
    return [row[0] for row in _sql.list_opened.rows(tx)]


def open_programme(tx: Tx, *, programme: KnownProgramme, now: datetime) -> None:
    """Note a programme."""
    told = msgspec.structs.asdict(programme)
    kinds = programme.further_kinds
    _sql.open_programme.execute(tx, **told | {"further_kinds": Jsonb(kinds) if kinds else None}, opened_at=now)


def draw_members(tx: Tx, *, programme: str, profile_ids: Sequence[UUID]) -> list[tuple[UUID, int]]:
    """Draw member ids for profiles that are not members yet."""
    return [
        (profile_id, member_id)
        for profile_id, member_id in _sql.draw_members.rows(tx, programme=programme, profile_ids=list(profile_ids))
    ]


def enrol(
    tx: Tx, *, programme: str, members: Sequence[tuple[UUID, int, int]], levels: Levels, ladders_key: int, now: datetime
) -> list[UUID]:
    """Enrol (profile, member, account) triples at the lowest levels and return the profiles enrolled."""
    rows = [
        {"profile_id": profile_id, "member_id": member_id, "account_id": account_id}
        for profile_id, member_id, account_id in members
    ]
    found = _sql.enrol.rows(
        tx,
        programme=programme,
        members=Jsonb(rows),
        tier=levels.tier,
        further_tiers=Jsonb(levels.further_tiers) if levels.further_tiers else None,
        ladders_key=ladders_key,
        enrolled_at=now,
    )
    return [row[0] for row in found]


def lock_members(tx: Tx, *, wishes: Sequence[tuple[UUID, str]], now: datetime) -> dict[int, LockedMember]:
    """Lock the living members behind (profile, programme) and return them by place."""
    rows = _sql.lock_members.rows(
        tx, wishes=Jsonb([{"profile_id": profile, "programme": name} for profile, name in wishes]), now=now
    )
    return {
        row[0]: LockedMember(
            member_id=row[1],
            profile_id=row[2],
            programme=row[3],
            account_id=row[4],
            tier=row[5],
            further_tiers=row[6],
            programme_account_id=row[7],
            today=row[8],
            first_kind=row[9],
            is_spendable=row[10],
            further_kinds=row[11],
            accounts=row[12],
            is_tier_due=row[13],
        )
        for row in rows
    }


def insert_earnings(
    tx: Tx, *, programme: str, earnings: Sequence[Earning], transfer_ids: Sequence[Sequence[int]], now: datetime
) -> set[int]:
    """Note what purchases earned and return the purchases that are new."""
    rows: list[dict[str, Any]] = [
        {
            "purchase_id": each.purchase.purchase_id,
            "member_id": each.member.member_id,
            "points": each.points,
            "further_points": each.further_points,
            "outcome": each.outcome,
            "effective_on": each.effective_on,
            "occurred_at": each.purchase.occurred_at,
            "counted": [[one.counter, one.period, one.amount] for one in each.counted] or None,
            "drawn": list_drawn(each.drawn),
            "transfer_id": made[0] if made else None,
            "lots": [
                {
                    "lot_number": number,
                    "transfer_id": transfer_id,
                    "currency": lot.currency,
                    "points": lot.points,
                    "available_from": lot.terms.available_from,
                    "expires_on": lot.terms.expires_on,
                    "awaits": lot.terms.awaits,
                    "waits_until": lot.terms.waits_until,
                }
                for number, (lot, transfer_id) in enumerate(zip(each.lots, made, strict=True))
            ],
        }
        for each, made in zip(earnings, transfer_ids, strict=True)
    ]
    return {row[0] for row in _sql.insert_earnings.rows(tx, programme=programme, earnings=Jsonb(rows), earned_at=now)}


def list_strangers(tx: Tx, *, programme: str, after_profile_id: UUID, limit_max: int) -> list[UUID]:
    """Return people who are no members."""
    return [
        row[0]
        for row in _sql.list_strangers.rows(
            tx, programme=programme, after_profile_id=after_profile_id, limit_max=limit_max
        )
    ]


def release_points(tx: Tx, *, programme: str, today: date) -> list[tuple[UUID, str, int, int | None]]:
    """Let pending points become available whose day has come; return whom to tell, kind, how many, which pool."""
    rows = _sql.release_points.rows(tx, programme=programme, today=today)
    return [(profile_id, kind, points, pool_id) for profile_id, kind, points, pool_id in rows]


def has_warned(tx: Tx, *, programme: str, today: date) -> bool:
    """Return whether all warnings of a day have been given."""
    return bool(_sql.has_warned.value(tx, programme=programme, today=today))


def note_warnings(
    tx: Tx,
    *,
    programme: str,
    kind: str | None,
    today: date,
    warn_days: Sequence[int],
    limit_max: int,
    now: datetime,
) -> list[tuple[UUID, date, int, int, int | None]]:
    """Note warnings for points of a kind (None: the first); return (profile, day of expiry, warning, points, pool)."""
    rows = _sql.note_warnings.rows(
        tx, programme=programme, kind=kind, today=today, warn_days=list(warn_days), limit_max=limit_max, warned_at=now
    )
    return [(profile_id, expires_on, days, points, pool_id) for profile_id, expires_on, days, points, pool_id in rows]


def end_warnings(tx: Tx, *, programme: str, today: date) -> None:
    """Note that the warnings of a day have been given."""
    _sql.end_warnings.execute(tx, programme=programme, today=today)


def note_redemptions(tx: Tx, *, member_ids: Sequence[int], now: datetime) -> None:
    """Remember when members last redeemed."""
    _sql.note_redemptions.execute(tx, member_ids=list(member_ids), now=now)


def list_members(tx: Tx, *, profile_ids: Sequence[UUID], programme: str | None) -> list[tuple[UUID, Member]]:
    """Return memberships, each with the profile it was asked by."""
    rows = _sql.list_members.rows(tx, profile_ids=list(profile_ids), programme=programme)
    fields = (
        "profile_id",
        "programme",
        "tier",
        "tier_since",
        "points",
        "pending",
        "qualifying_points",
        "enrolled_at",
        "last_redemption_at",
        "account_id",
        "first_kind",
    )
    found: list[tuple[UUID, Member]] = []
    for asked, *values, is_spendable, further in rows:
        member = Member(**dict(zip(fields, values, strict=True)))
        if further is not None:
            usual = KindStand(
                points=member.points, pending=member.pending, account_id=member.account_id, is_spendable=is_spendable
            )
            others = {kind: KindStand(**further[kind]) for kind in sorted(further)}
            member = msgspec.structs.replace(member, kinds={member.first_kind: usual} | others)
        found.append((asked, member))
    return found


def note_asked(tx: Tx, *, asked: Sequence[tuple[int, UUID, str]]) -> None:
    """Note that (transfer, profile, programme) belong to who asked, though somebody else stands for them."""
    if asked:
        rows = [{"transfer_id": each[0], "profile_id": each[1], "programme": each[2]} for each in asked]
        _sql.note_asked.execute(tx, asked=Jsonb(rows))


def find_earnings(tx: Tx, *, purchase_id: int) -> list[Earned]:
    """Return what a purchase earned."""
    return [
        Earned(
            purchase_id=purchase_id,
            programme=programme,
            profile_id=profile_id,
            points=points,
            further_points=further_points,
            outcome=EarnOutcome(outcome),
        )
        for _, programme, profile_id, points, further_points, outcome in _sql.find_earning.rows(
            tx, purchase_id=purchase_id
        )
    ]


def count_members(tx: Tx) -> int:
    """Return how many living members all programmes have."""
    return _sql.count_members.value(tx)


def list_earned(tx: Tx, *, programme: str, purchase_ids: Sequence[int]) -> set[int]:
    """Return which of these purchases have earned in a programme."""
    return {row[0] for row in _sql.list_earned.rows(tx, programme=programme, purchase_ids=list(purchase_ids))}


def count_purchases(tx: Tx, *, member_ids: Sequence[int]) -> dict[int, int]:
    """Count the purchases of members that are behind them; those that could earn nothing do not count."""
    return dict(_sql.count_purchases.rows(tx, member_ids=list(member_ids), outcomes=COUNTED_OUTCOMES))


def list_counted(tx: Tx, *, member_ids: Sequence[int]) -> list[Counted]:
    """Return what caps have counted of members."""
    return _sql.list_counted.fetch(tx, Counted, member_ids=list(member_ids))


def add_counted(tx: Tx, *, counted: Sequence[Counted]) -> None:
    """Add to what caps have counted."""
    if counted:
        _sql.add_counted.execute(tx, counted=Jsonb(counted))


def find_holders(tx: Tx, *, account_ids: Sequence[int]) -> dict[int, tuple[UUID, int | None, str]]:
    """Return who is told of the points of accounts, the pool where it is one, and the kind of points, by account."""
    rows = _sql.find_holders.rows(tx, account_ids=list(account_ids))
    return {account_id: (profile_id, pool_id, kind) for account_id, profile_id, pool_id, kind in rows}


def list_backings(tx: Tx, *, account_ids: Sequence[int]) -> dict[int, Backing]:
    """Return the living members behind accounts, by account."""
    found = _sql.list_backings.fetch(tx, Backing, account_ids=list(account_ids))
    return {each.account_id: each for each in found}


def lock_adjusting(tx: Tx) -> None:
    """Be the only one who adjusts points, until the transaction ends."""
    _sql.lock_adjusting.rows(tx)


def find_adjustment(tx: Tx, *, idempotency_key: str) -> Adjustment | None:
    """Return the adjustment of a key, or None."""
    rows = _sql.find_adjustment.rows(tx, idempotency_key=idempotency_key, adjustment_id=None)
    return _to_adjustment(rows[0]) if rows else None


def get_adjustment(tx: Tx, *, adjustment_id: int) -> Adjustment | None:
    """Return an adjustment by its id, or None."""
    rows = _sql.find_adjustment.rows(tx, idempotency_key=None, adjustment_id=adjustment_id)
    return _to_adjustment(rows[0]) if rows else None


def list_waiting_adjustments(tx: Tx, *, limit_max: int) -> list[Adjustment]:
    """Return adjustments that wait."""
    return [_to_adjustment(row) for row in _sql.list_waiting_adjustments.rows(tx, limit_max=limit_max)]


def sum_adjusted(tx: Tx, *, maker: str, programme: str, period: str) -> int:
    """Return the points a maker has adjusted in a period."""
    return int(_sql.sum_adjusted.value(tx, maker=maker, programme=programme, period=period))


def insert_adjustment(
    tx: Tx, *, wish: AdjustmentWish, period: str, state: AdjustmentState, transfer_id: int | None, now: datetime
) -> Adjustment:
    """Note an adjustment."""
    [row] = _sql.insert_adjustment.rows(
        tx, **msgspec.structs.asdict(wish), period=period, state=state, transfer_id=transfer_id, now=now
    )
    return _to_adjustment(row)


def decide_adjustment(
    tx: Tx, *, adjustment_id: int, state: AdjustmentState, checker: str, transfer_id: int | None, now: datetime
) -> Adjustment:
    """Note how an adjustment was decided."""
    [row] = _sql.decide_adjustment.rows(
        tx, adjustment_id=adjustment_id, state=state, checker=checker, transfer_id=transfer_id, now=now
    )
    return _to_adjustment(row)


def find_member(tx: Tx, *, profile_id: UUID, programme: str, now: datetime) -> LockedMember | None:
    """Return the living member behind a profile, not locked, or None."""
    return _sql.find_member.fetch_one(tx, LockedMember, profile_id=profile_id, programme=programme, now=now)


def _to_adjustment(row: tuple[Any, ...]) -> Adjustment:
    return msgspec.convert(dict(zip(Adjustment.__struct_fields__, row, strict=False)), Adjustment)
