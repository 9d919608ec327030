"""Members on a ladder, one after the other: the engine's walk, or a window that comes to the same. Pure.

Many members who did little are gone through; where the points of the last days are all there is to know of a member,
a window is cheaper than a walk.
"""

from bisect import bisect_right
from collections import deque
from datetime import date

from comity.definitions.types import LadderSpec, RollingWindow
from comity.programme.engine.tier_walk import Walk
from comity.programme.engine.tier_windows import is_memoryless


class Window:
    """The level by the points of the last days, at once."""

    def __init__(self, ladder: LadderSpec, days: int) -> None:
        """Take the ladder and the length of its window."""
        self._days = days - 1
        self._starts = [level.points_from for level in ladder.levels]
        self._names = [level.name for level in ladder.levels]
        self._queue: deque[tuple[int, int]] = deque()
        self._points = 0

    def clear(self) -> None:
        """Start with another member."""
        self._queue.clear()
        self._points = 0

    def add(self, day: date, points: int) -> None:
        """Count points of a day that is not before those counted already."""
        if points:
            self._queue.append((day.toordinal(), points))
            self._points += points

    def find_level(self, on: date) -> str:
        """Return the level of a day; days go forward only."""
        queue, first = self._queue, on.toordinal() - self._days
        while queue and queue[0][0] < first:
            self._points -= queue.popleft()[1]
        return self._names[bisect_right(self._starts, self._points) - 1]


class Climb:
    """The level by the walk of the engine."""

    def __init__(self, ladder: LadderSpec) -> None:
        """Take the ladder."""
        self._ladder = ladder
        self._walk: Walk | None = None

    def clear(self) -> None:
        """Start with another member."""
        self._walk = None

    def add(self, day: date, points: int) -> None:
        """Count points of a day that is not before those counted already."""
        self._begin(day).add(day, points)

    def find_level(self, on: date) -> str:
        """Return the level of a day; days go forward only."""
        going = self._begin(on)
        going.advance(on)
        return going.level_name

    def _begin(self, on: date) -> Walk:
        if self._walk is None:
            self._walk = Walk(self._ladder, on)
        return self._walk


def climb(ladder: LadderSpec) -> Window | Climb:
    """Return what tells the level of one member after the other on a ladder."""
    window = ladder.window
    if is_memoryless(ladder) and isinstance(window, RollingWindow):
        length = window.length
        if not length.years and not length.months:
            return Window(ladder, length.days)
    return Climb(ladder)
