"""Which tier somebody has, had and will have: one walk through time, from the first day to any other.

The walk sees each day's points (what was earned that day, less what was taken back of it) and nothing else, so the
order in which they became known changes nothing. The tier of today is the walk up to today; the projection is the same
walk carried on without further points. Points earned on a day count from that day. Days are those of the programme.
"""

from collections.abc import Iterable
from datetime import date

import msgspec

from comity.definitions.types import CalendarWindow, Downgrade, LadderSpec, Span
from comity.programme.engine.days import ONE_DAY, add_days, add_span
from comity.programme.engine.tier_walk import TierSpan, Walk
from comity.programme.engine.tier_windows import find_window_start, keep_from, leave_window_on

HORIZON_YEARS = 20
"""How far ahead a projection looks: no window or validity in use is longer."""


class Qualifying(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Qualifying points of one day; below zero where more was taken back."""

    earned_on: date
    points: int


class Lift(msgspec.Struct, frozen=True, kw_only=True):
    """What is missing for the next level; what counts now counts through `counts_through` (None: for ever)."""

    level: str
    points_missing: int
    counts_through: date | None


class Keep(msgspec.Struct, frozen=True, kw_only=True):
    """What keeps the level: so many points more, earned from `earn_from` through `earn_through`, or it drops.

    Without them the level falls to `falls_to` on `falls_on`. Fewer points may do where a day on which more was taken
    back than earned counts no longer by then.
    """

    falls_on: date
    falls_to: str
    points_missing: int
    earn_from: date
    earn_through: date

    @property
    def is_possible(self) -> bool:
        """False when points that could still be earned in time would not count any more on the day of judgement."""
        return self.earn_from <= self.earn_through


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where somebody stands on a ladder on a day; `lift` is None on the highest level, `keep` where nothing can drop.

    `valid_through` is the last day the level is kept whatever happens, where levels are kept for a time.
    """

    ladder: str
    level: str
    since: date
    on: date
    points: int
    valid_through: date | None
    lift: Lift | None
    keep: Keep | None
    history: tuple[TierSpan, ...]


def sum_days(entries: Iterable[Qualifying]) -> list[tuple[date, int]]:
    """Return the points of each day, in the order of days; the order of entries does not matter."""
    by_day: dict[date, int] = {}
    for entry in entries:
        by_day[entry.earned_on] = by_day.get(entry.earned_on, 0) + entry.points
    return sorted(by_day.items())


def walk(ladder: LadderSpec, entries: Iterable[Qualifying], *, begins_on: date, on: date) -> Walk:
    """Walk through the points of all days up to and with `on`, from `begins_on` or from the first points before it."""
    days = sum_days(entries)
    going = Walk(ladder, min([begins_on, on, *(day for day, _ in days[:1])]))
    for day, points in days:
        if day > on:
            break
        going.add(day, points)
    going.advance(on)
    return going


def find_standing(ladder: LadderSpec, entries: Iterable[Qualifying], *, begins_on: date, on: date) -> Standing:
    """Return where somebody stands on a day, what lifts and what keeps the level, and every level before.

    `entries` are qualifying points of the ladder's currency, in any order; those after `on` are not known yet.
    """
    return stand(ladder, walk(ladder, entries, begins_on=begins_on, on=on))


def stand(ladder: LadderSpec, going: Walk) -> Standing:
    """Return where a walk stands on its day, and what lies ahead."""
    return Standing(
        ladder=ladder.name,
        level=going.level_name,
        since=going.since,
        on=going.on,
        points=going.points,
        valid_through=going.valid_to - ONE_DAY if going.valid_to is not None else None,
        lift=_plan_lift(ladder, going),
        keep=_plan_keep(ladder, going),
        history=tuple(going.spans),
    )


def _plan_lift(ladder: LadderSpec, going: Walk) -> Lift | None:
    above = ladder.levels[going.level + 1 :]
    if not above:
        return None
    is_calendar = isinstance(ladder.window, CalendarWindow)
    out_on = leave_window_on(ladder.window, going.on) if is_calendar else None
    return Lift(
        level=above[0].name,
        points_missing=above[0].points_from - going.points,
        counts_through=out_on - ONE_DAY if out_on is not None else None,
    )


def _plan_keep(ladder: LadderSpec, going: Walk) -> Keep | None:
    """Carry the walk on without points until the level drops; then see what would have kept it."""
    level = ladder.levels[going.level]
    ahead, counted = going.copy(), going.copy()
    until = add_span(going.on, Span(years=HORIZON_YEARS))
    falls_on = ahead.find_change(until)
    while falls_on is not None and ahead.level >= going.level:
        falls_on = ahead.find_change(until)  # Points taken back that count no longer may lift it first.
    if falls_on is None:
        return None
    need, judged_on, counts_on = keep_from(level), falls_on, falls_on
    if going.fall is not None:
        need, counts_on = level.points_from, falls_on - ONE_DAY
    elif ladder.downgrade is not Downgrade.IMMEDIATE:
        judged_on = add_days(falls_on, -ladder.grace_days)
        counts_on = judged_on - ONE_DAY
    counted.advance(counts_on)
    return Keep(
        falls_on=falls_on,
        falls_to=ahead.level_name,
        points_missing=need - counted.points,
        earn_from=max(find_window_start(ladder.window, counts_on), going.on),
        earn_through=judged_on - ONE_DAY,
    )
