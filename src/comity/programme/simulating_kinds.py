"""What a version of a programme comes to in one kind of points, member by member. Pure."""

from collections.abc import Sequence
from datetime import date

from comity.definitions.types import ActivityKind, Expiry, NeverExpiry, SlidingExpiry
from comity.programme.engine import facts
from comity.programme.engine.lifetimes import plan_terms, prolong
from comity.programme.simulating_types import Figures

SUMS = ("earning_count", "issued", "adjusted", "redeemed", "short", "expired", "open")


class Tally:
    """Points of one kind: what members were given, what became of it, and the lots of the member in hand."""

    def __init__(self, expiry: Expiry | None = None) -> None:
        """Take when they expire; nobody has any yet."""
        self.earning_count = self.issued = self.adjusted = self.redeemed = self.short = self.expired = self.open = 0
        self.member_issued = 0
        self._expiry = expiry or NeverExpiry()
        self._sliding = expiry if isinstance(expiry, SlidingExpiry) else None
        self._lots: dict[tuple[date, date, date], int] = {}

    def give(self, lots: Sequence[facts.Lot], day: date) -> int:
        """Take in what a purchase gave, and return how many points that are."""
        for lot in lots:
            self._put(lot.points, lot.terms, day)
        points = sum(lot.points for lot in lots)
        self.earning_count += 1
        self.member_issued += points
        return points

    def adjust(self, points: int, day: date) -> None:
        """Give points, or take them (below zero), as far as there are any."""
        if points > 0:
            self._put(points, plan_terms(None, self._expiry, day), day)
            self.adjusted += points
        else:
            taken = self._draw(-points, day)
            self.adjusted -= taken
            self.short += -points - taken

    def _put(self, points: int, terms: facts.Terms, day: date) -> None:
        earned_on = day if self._sliding else date.min
        key = (terms.expires_on or date.max, terms.available_from or date.max, earned_on)
        self._lots[key] = self._lots.get(key, 0) + points

    def take(self, wanted: int, day: date) -> bool:
        """Spend points, as far as there are any, from the lots that expire first; return whether there were."""
        taken = self._draw(wanted, day)
        self.redeemed += taken
        self.short += wanted - taken
        return taken > 0

    def _draw(self, wanted: int, day: date) -> int:
        left = wanted
        for key in sorted(self._lots):
            if key[0] <= day or key[1] > day:
                continue
            taken = min(left, self._lots[key])
            self._lots[key] -= taken
            left -= taken
            if not left:
                break
        return wanted - left

    def slide(self, day: date, activity: ActivityKind) -> None:
        """Let activity put off when the lots expire that are still alive."""
        if self._sliding is None or activity not in self._sliding.activities:
            return
        lots: dict[tuple[date, date, date], int] = {}
        for (expires_on, available_from, earned_on), rest in self._lots.items():
            key = (prolong(self._sliding, earned_on, expires_on, day), available_from, earned_on)
            lots[key] = lots.get(key, 0) + rest
        self._lots = lots

    def end_member(self, on: date) -> int:
        """Return what the member was given, and start with another one."""
        given = self.member_issued
        self.issued += given
        for (expires_on, _, _), rest in self._lots.items():
            if expires_on <= on:
                self.expired += rest
            else:
                self.open += rest
        self.member_issued = 0
        self._lots.clear()
        return given

    def absorb(self, other: "Tally") -> None:
        """Count what another tally of the same kind came to."""
        for name in SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def to_figures(self) -> Figures:
        """Return the totals so far."""
        return Figures(
            earning_count=self.earning_count,
            points_issued=self.issued,
            points_adjusted=self.adjusted,
            points_redeemed=self.redeemed,
            points_short=self.short,
            points_expired=self.expired,
            points_open=self.open,
        )
