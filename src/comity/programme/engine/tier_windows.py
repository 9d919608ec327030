"""Over which days points count for a tier, and how long a level is kept. All days are the programme's."""

from datetime import date

from comity.definitions.types import (
    CalendarWindow,
    Downgrade,
    LadderSpec,
    LifetimeWindow,
    RollingWindow,
    TierLevel,
    ValiditySpec,
    Window,
)
from comity.programme.engine.days import ONE_DAY, add_span, add_years, count_from, find_year_start, leave_on


def keep_from(level: TierLevel) -> int:
    """Return how many points keep a level."""
    return level.points_from if level.keep_from is None else level.keep_from


def is_memoryless(ladder: LadderSpec) -> bool:
    """True where the points that count on a day give the level of that day, whatever was before."""
    is_at_once = ladder.downgrade is Downgrade.IMMEDIATE
    return is_at_once and all(keep_from(level) == level.points_from for level in ladder.levels)


def leave_window_on(window: Window, earned_on: date) -> date | None:
    """Return the first day on which points earned on a day no longer count; None: they always do."""
    if isinstance(window, RollingWindow):
        return leave_on(earned_on, window.length)
    if isinstance(window, CalendarWindow):
        return add_years(find_year_start(earned_on, window.year_starts), 1)
    return None


def find_window_start(window: Window, on: date) -> date:
    """Return the first day whose points count on a day."""
    if isinstance(window, RollingWindow):
        return count_from(on, window.length)
    return find_year_start(on, window.year_starts) if isinstance(window, CalendarWindow) else date.min


def end_validity(ladder: LadderSpec, on: date, *, is_judged: bool) -> date | None:
    """Return the first day on which a level may drop that was reached on a day, or (`is_judged`) kept at its beginning.

    None where levels do not end. Without `valid` a calendar ladder keeps a level to the end of the next programme year,
    a rolling one for the length of its window. A level kept at the beginning of a year was earned in the year before.
    """
    window = ladder.window
    if ladder.downgrade is Downgrade.IMMEDIATE:
        return None
    valid = ladder.valid or _default_validity(window)
    if valid is None:
        return None
    if valid.next_years is not None and isinstance(window, CalendarWindow):
        earned_on = on - ONE_DAY if is_judged else on
        return add_years(find_year_start(earned_on, window.year_starts), valid.next_years + 1)
    return add_span(on, valid.length)


def next_review(ladder: LadderSpec, on: date, valid_to: date) -> date:
    """Return the next day a level is looked at: the next programme year where it is kept by years, else its end."""
    window, valid = ladder.window, ladder.valid or _default_validity(ladder.window)
    if isinstance(window, CalendarWindow) and valid is not None and valid.next_years is not None:
        return add_years(find_year_start(on, window.year_starts), 1)
    return valid_to


def _default_validity(window: Window) -> ValiditySpec | None:
    if isinstance(window, LifetimeWindow):
        return None
    if isinstance(window, CalendarWindow):
        return ValiditySpec(next_years=1)
    return ValiditySpec(length=window.length)
