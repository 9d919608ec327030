"""Statements of tiers."""

from collections.abc import Collection, Sequence
from datetime import date, datetime

from comity.definitions.types import CalendarWindow, LadderSpec, RollingWindow
from comity.kernel.database import Tx
from comity.kernel.sql import Jsonb, SqlFolder
from comity.programme.engine.tier_windows import find_window_start, leave_window_on
from comity.programme.engine.tiers import Qualifying
from comity.programme.ladders import Placing, Qualified, Walker, gather
from comity.programme.types import TierMove

_sql = SqlFolder(__package__)


def recompute_tiers(
    tx: Tx, *, member_ids: Sequence[int], ladder: LadderSpec, today: date, now: datetime
) -> list[TierMove]:
    """Recompute qualifying points and tiers on a ladder without memory and return the changes of tier."""
    window = ladder.window
    length = window.length if isinstance(window, RollingWindow) else None
    return _sql.recompute_tiers.fetch(
        tx,
        TierMove,
        member_ids=list(member_ids),
        first_on=find_window_start(window, today),
        last_on=today,
        years=length.years if length else None,
        months=length.months if length else None,
        days=length.days if length else None,
        ends_on=leave_window_on(window, today) if isinstance(window, CalendarWindow) else None,
        ladder=ladder.name,
        names=[level.name for level in ladder.levels],
        froms=[level.points_from for level in ladder.levels],
        now=now,
    )


def list_walkers(tx: Tx, *, member_ids: Sequence[int]) -> list[Walker]:
    """Return living members as they are placed, with what they earned day by day."""
    return _sql.list_walkers.fetch(tx, Walker, member_ids=list(member_ids)) if member_ids else []


def put_tiers(tx: Tx, *, placings: Sequence[Placing], ladders_key: int, now: datetime) -> None:
    """Note where members stand."""
    if placings:
        _sql.put_tiers.execute(tx, members=Jsonb(placings), ladders_key=ladders_key, now=now)


def lock_due_members(
    tx: Tx, *, programme: str, today: date, ladders_key: int, after_member_id: int, limit_max: int
) -> list[int]:
    """Return a page of living members whose tiers are due, or were decided by other ladders, locked."""
    rows = _sql.lock_due_members.rows(
        tx,
        programme=programme,
        today=today,
        ladders_key=ladders_key,
        after_member_id=after_member_id,
        limit_max=limit_max,
    )
    return [row[0] for row in rows]


def list_due(tx: Tx, *, account_ids: Sequence[int], now: datetime) -> list[tuple[int, int, str, date]]:
    """Return (account, member, programme, day) of those whose tiers were due on a day that has come."""
    return list(_sql.list_due.rows(tx, account_ids=list(account_ids), now=now)) if account_ids else []


def list_qualifying(tx: Tx, *, member_id: int, further: Collection[str]) -> Qualified:
    """Return what counts for a member's tiers, day by day; `further` are the kinds of points after the first."""
    others = _sql.list_further_qualifying.rows(tx, member_id=member_id) if further else []
    first = _sql.list_qualifying.fetch(tx, Qualifying, member_id=member_id)
    return gather(first, [(kind, day, points) for kind, day, points in others], further)
