"""Somebody's way through time on one ladder: rises, reviews and drops in the order of days."""

import enum
from bisect import bisect_right
from datetime import date

import msgspec

from comity.definitions.types import Downgrade, LadderSpec
from comity.programme.engine.days import add_days
from comity.programme.engine.tier_windows import end_validity, keep_from, leave_window_on, next_review


class TierReason(enum.StrEnum):
    """Why a tier begins."""

    START = "start"
    REACHED = "reached"
    DROPPED = "dropped"


class Fall(msgspec.Struct, frozen=True, kw_only=True):
    """A drop that is decided: to which level, when, and by which day's count."""

    on: date
    level: int
    judged_on: date


class TierSpan(msgspec.Struct, frozen=True, kw_only=True):
    """A level somebody holds from one day on; `points` are those that counted when it began."""

    level: str
    begins_on: date
    reason: TierReason
    points: int


class Walk:
    """Somebody's way through time on one ladder. Days go forward only; points of the day it stands on may be added.

    `valid_to` is the first day on which the level may drop, `review_on` the next day it is looked at; for ladders that
    drop at once both are None. `fall` is a drop that is decided and waits for the end of the grace.
    """

    def __init__(self, ladder: LadderSpec, begins_on: date) -> None:
        """Stand on the lowest level on the first day."""
        self.on = begins_on
        self.level = 0
        self.since = begins_on
        self.points = 0
        self.valid_to: date | None = None
        self.review_on: date | None = None
        self.fall: Fall | None = None
        self.spans: list[TierSpan] = []
        self._ladder = ladder
        self._levels = ladder.levels
        self._starts = [level.points_from for level in ladder.levels]
        self._queue: list[tuple[date, int]] = []
        self._out = 0
        self._note(TierReason.START)

    @property
    def level_name(self) -> str:
        """The name of the level it stands on."""
        return self._levels[self.level].name

    @property
    def next_on(self) -> date | None:
        """The next day on which something changes without further points: what counts, or the level."""
        return self._find_next()

    def copy(self) -> "Walk":
        """Return a walk that can go on by itself."""
        other = Walk(self._ladder, self.on)
        other.level, other.since, other.points = self.level, self.since, self.points
        other.valid_to, other.review_on, other.fall = self.valid_to, self.review_on, self.fall
        other.spans, other._queue = list(self.spans), list(self._queue[self._out :])
        return other

    def advance(self, on: date) -> None:
        """Go on to a day: points that no longer count fall out, levels that are over are looked at."""
        while (following := self._find_next()) is not None and following <= on:
            self.on = following
            self._pass(following)
        self.on = max(self.on, on)

    def add(self, on: date, points: int) -> None:
        """Count points earned on a day that is not before the one it stands on."""
        self.advance(on)
        if not points:
            return
        out_on = leave_window_on(self._ladder.window, on)
        if out_on is not None:
            self._queue.append((out_on, points))
        self.points += points
        self._settle(on)

    def find_change(self, until: date) -> date | None:
        """Go on without further points until the level changes; return the day, or None when it does not by then."""
        before = len(self.spans)
        while (following := self._find_next()) is not None and following <= until:
            self.on = following
            self._pass(following)
            if len(self.spans) > before:
                return following
        return None

    def _find_next(self) -> date | None:
        found = self._queue[self._out][0] if self._out < len(self._queue) else None
        if self.review_on is not None and (found is None or self.review_on < found):
            found = self.review_on
        if self.fall is not None and (found is None or self.fall.on < found):
            found = self.fall.on
        return found

    def _pass(self, on: date) -> None:
        """Let a day begin. A level is judged by what counted on the day before."""
        held = self.points
        while self._out < len(self._queue) and self._queue[self._out][0] <= on:
            self.points -= self._queue[self._out][1]
            self._out += 1
        if self.fall is not None and self.fall.on <= on:
            fall, self.fall = self.fall, None
            self._move(fall.level, on, judged_on=fall.judged_on)
        if self.review_on is not None and self.review_on <= on:
            self._review(on, held)
        self._settle(on)

    def _review(self, on: date, held: int) -> None:
        """Keep the level when enough counted or its time is not over; else let it drop, now or after the grace."""
        target = max(self._keep(held), self._reach(held))
        if self._ladder.downgrade is Downgrade.ONE_LEVEL:
            target = max(target, self.level - 1)
        if target >= self.level:
            self._renew(judged_on=on)
        elif self.valid_to is not None and on < self.valid_to:
            self.review_on = next_review(self._ladder, on, self.valid_to)
        elif self._ladder.grace_days:
            self.review_on = None
            self.fall = Fall(on=add_days(on, self._ladder.grace_days), level=target, judged_on=on)
        else:
            self._move(target, on, judged_on=on)

    def _settle(self, on: date) -> None:
        """Rise at once when the points say so; drop at once only where the ladder drops at once."""
        reached = self._reach(self.points)
        if reached > self.level or (self.fall is not None and reached == self.level):
            self.fall = None
            self._move(reached, on)
        elif self._ladder.downgrade is Downgrade.IMMEDIATE and reached < self.level:
            self._move(max(reached, self._keep(self.points)), on)

    def _move(self, level: int, on: date, *, judged_on: date | None = None) -> None:
        is_higher, is_other = level > self.level, level != self.level
        self.level = level
        if self._ladder.downgrade is not Downgrade.IMMEDIATE:
            self.valid_to = self.review_on = None
            if level:
                self._renew(judged_on=judged_on)
        if is_other:
            self.since = on
            self._note(TierReason.REACHED if is_higher else TierReason.DROPPED)

    def _renew(self, *, judged_on: date | None) -> None:
        """Start the time a level is valid for: with the day it is reached, or with the period it was judged by."""
        valid_to = end_validity(self._ladder, judged_on or self.on, is_judged=judged_on is not None)
        if valid_to is not None:
            self.valid_to = valid_to if self.valid_to is None else max(valid_to, self.valid_to)
            self.review_on = next_review(self._ladder, self.on, self.valid_to)

    def _note(self, reason: TierReason) -> None:
        span = TierSpan(level=self.level_name, begins_on=self.on, reason=reason, points=self.points)
        if self.spans and self.spans[-1].begins_on == self.on:
            self.spans.pop()  # A day has one level: the last.
            if self.spans and self.spans[-1].level == span.level:
                self.since = self.spans[-1].begins_on
                return
        self.spans.append(span)

    def _reach(self, points: int) -> int:
        return max(bisect_right(self._starts, points) - 1, 0)

    def _keep(self, points: int) -> int:
        held = range(self.level + 1)
        return max((place for place in held if keep_from(self._levels[place]) <= points), default=0)
