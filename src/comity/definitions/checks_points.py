"""Checks of programmes that speak of points: lifetimes, caps, and names of points and levels."""

from collections.abc import Iterator, Sequence
from datetime import date

from comity.definitions.checks_shared import Found, Path, check_unique, find_name
from comity.definitions.shape import suggest
from comity.definitions.types_points import (
    CalendarExpiry,
    Cap,
    CapPeriod,
    Expiry,
    NeverExpiry,
    PendingSpec,
    PointsSpec,
    RollingExpiry,
    SlidingExpiry,
    StartsWith,
)
from comity.definitions.types_programme import ProgrammeSpec

_ORDER = list(CapPeriod)


def check_points(spec: ProgrammeSpec) -> Iterator[Found]:
    """The points of a programme are good for something, and live as long as they are told of."""
    yield from check_unique([each.name for each in spec.points], path=("points",), what="kinds of points")
    for index, points in enumerate(spec.points):
        path: Path = ("points", index)
        if not points.qualifying and not points.spendable:
            message = f"The points '{points.name}' neither qualify nor can they be spent."
            yield Found(path=path, message=message, remedy="Make them one or the other, or take them out.")
        yield from check_caps(points.caps, path=(*path, "caps"), has_times=False)
        yield from check_lifetime(points.pending, points.expiry, path=path)
        yield from _check_warnings(points, path=(*path, "warn_days"))


def _check_warnings(points: PointsSpec, *, path: Path) -> Iterator[Found]:
    if points.warn_days and isinstance(points.expiry, NeverExpiry):
        yield Found(path=path, message="Points that never expire need no warning.", remedy="Remove it.")
    lifetime = points.expiry.after.days_least if isinstance(points.expiry, RollingExpiry | SlidingExpiry) else 36_500
    for index, days in enumerate(points.warn_days):
        if not 1 <= days <= 36_500:
            message, remedy = f"{days} is out of range.", "Write the days before the points expire."
            yield Found(path=(*path, index), message=message, remedy=remedy)
        elif days >= lifetime:
            message = f"The warning of {days} days comes before the points are earned."
            yield Found(path=(*path, index), message=message, remedy="Warn later, or let the points live longer.")
        elif days in points.warn_days[:index]:
            yield Found(path=(*path, index), message=f"The warning of {days} days stands twice.", remedy="Remove one.")


def check_lifetime(pending: PendingSpec | None, expiry: Expiry | None, *, path: Path) -> Iterator[Found]:
    """The points are available before they expire, and all lengths and days are possible."""
    place = (*path, "expiry")
    if isinstance(expiry, RollingExpiry | SlidingExpiry) and expiry.after.is_empty:
        yield Found(path=(*place, "after"), message="The points expire at once.", remedy="Write e.g. {months: 24}.")
    elif (
        pending is not None
        and isinstance(expiry, RollingExpiry | SlidingExpiry)
        and getattr(expiry, "starts", StartsWith.EARNED) is StartsWith.EARNED
        and pending.days >= expiry.after.days_least
    ):
        message = f"The points expire before they are available after {pending.days} days."
        yield Found(path=(*path, "pending"), message=message, remedy="Shorten the wait, or write `starts: available`.")
    if isinstance(expiry, SlidingExpiry) and expiry.at_most and expiry.at_most.days_least < expiry.after.days_least:
        message = "No lot may grow as old as it does without activity."
        yield Found(path=(*place, "at_most"), message=message, remedy="Make it longer than `after`, or leave it out.")
    if isinstance(expiry, CalendarExpiry):
        yield from check_year_start(expiry.year_starts, path=(*place, "year_starts"))


def check_year_start(text: str, *, path: Path) -> Iterator[Found]:
    """Every year has this day."""
    month, day = map(int, text.split("-"))
    try:
        date(2025, month, day)  # Not a leap year: a programme year starts every year.
    except ValueError:
        message = f"No programme year can start on {text}."
        yield Found(path=path, message=message, remedy="Write month and day of a day that every year has, e.g. 04-01.")


def check_caps(caps: Sequence[Cap], *, path: Path, has_times: bool = True) -> Iterator[Found]:
    """Each cap counts one thing, once, and none hides another."""
    for index, cap in enumerate(caps):
        place = (*path, index)
        if (cap.points is None) == (cap.times is None):
            message = "A cap counts either points or times."
            yield Found(path=place, message=message, remedy="Write {points: 500, per: day} or {times: 1, per: month}.")
            continue
        if cap.times is not None and (cap.per is CapPeriod.PURCHASE or not has_times):
            message = "A purchase happens once." if has_times else "Here only points can be capped."
            yield Found(path=place, message=message, remedy="Write `points`, or another period.")
        for other in caps[:index]:
            if (other.points is None) != (cap.points is None):
                continue
            yield from _compare_caps(other, cap, path=place)


def _compare_caps(first: Cap, second: Cap, *, path: Path) -> Iterator[Found]:
    if first.per is second.per:
        yield Found(path=path, message=f"There are two caps per {first.per}.", remedy="Keep the one you mean.")
        return
    short, long = sorted((first, second), key=lambda each: _ORDER.index(each.per))
    if (short.points or short.times or 0) > (long.points or long.times or 0):
        message = f"The cap per {short.per} can never be reached: the one per {long.per} is lower."
        yield Found(path=path, message=message, remedy="Lower the first or raise the second.")


def check_spendable(name: str | None, spec: ProgrammeSpec, *, path: Path) -> Iterator[Found]:
    """The points exist and can be spent."""
    points = find_name(name, spec.points_specs)
    if points is None:
        remedy = suggest(str(name), [each.name for each in spec.points_specs], what="Points")
        yield Found(path=path, message=f"There are no points '{name}'.", remedy=remedy)
    elif not points.spendable:
        message = f"The points '{points.name}' cannot be spent."
        yield Found(path=path, message=message, remedy="Name others, or write `spendable: true` there.")


def check_levels_exist(names: Sequence[str], spec: ProgrammeSpec, *, path: Path) -> Iterator[Found]:
    """Each level exists, on one ladder only."""
    known = [level.name for ladder in spec.ladder_specs for level in ladder.levels]
    for index, name in enumerate(names):
        if name not in known:
            message = f"There is no level '{name[:60]}'."
            yield Found(path=(*path, index), message=message, remedy=suggest(name, known, what="Levels"))
        elif known.count(name) > 1:
            message = f"Several ladders have a level {name}."
            remedy = "Name the ladder in a condition: when: \"tier.LADDER = 'LEVEL'\"."
            yield Found(path=(*path, index), message=message, remedy=remedy)
