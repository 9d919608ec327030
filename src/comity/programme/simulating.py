"""A version of a programme tried on members' histories. Pure.

Purchases go one by one in the order of their time, each as the running hub takes one in the moment it happens: by the
tier of its day, with what caps have counted so far. What came back of it never counted. Redemptions of the past are
made again, as far as the points go, from the lots that expire first. Members do not touch each other, so any part of
them may be gone through by itself.
"""

from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from datetime import date
from uuid import UUID

import msgspec

from comity.definitions.types import TIERS_LADDER, ProgrammeSpec, TierLadder
from comity.programme.engine import facts
from comity.programme.engine.compiling import Rules, compile_programme
from comity.programme.engine.days import to_business_day
from comity.programme.engine.evaluating import evaluate
from comity.programme.engine.replaying import book
from comity.programme.rules import get_window
from comity.programme.simulating_types import (
    Figures,
    Gain,
    Month,
    Side,
    Simulation,
    TierCount,
    TierShift,
    Trial,
)

COUNTED = frozenset({facts.Outcome.EARNED, facts.Outcome.NOTHING})
"""Purchases that make the next one not the first."""

CONDITIONAL = (
    "Only purchases of those who were members then are counted; the condition to become one is not asked anew."
)


def asks_members(trial: Trial) -> bool:
    """True when it matters who was a member: not everybody is one by one of the versions."""
    specs = (trial.running, trial.proposed)
    return any(spec is not None and not _takes_all(spec) for spec in specs)


def _takes_all(spec: ProgrammeSpec) -> bool:
    return spec.enrol.automatic and spec.enrol.when is None


class Deed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing a member did: a purchase (`redeemed` is 0), or a redemption of so many points.

    `was_member` says that the hub let the purchase earn in this programme, if only nothing.
    """

    purchase: facts.Purchase
    redeemed: int = 0
    was_member: bool = True


class Window:
    """The tier of one member by the points of the last days, as the hub computes it."""

    def __init__(self, ladder: TierLadder | None) -> None:
        """Take the ladder; without one there are no tiers."""
        self._ladder = ladder
        self._days = (get_window(ladder, date.max)[1] - get_window(ladder, date.max)[0]).days
        self._froms = [level.points_from for level in ladder.levels] if ladder else []
        self._names = [None, *(level.name for level in ladder.levels)] if ladder else [None]
        self._queue: deque[tuple[int, int]] = deque()
        self._points = 0

    def clear(self) -> None:
        """Start with another member."""
        self._queue.clear()
        self._points = 0

    def add(self, day: date, points: int) -> None:
        """Count points of a day that is not before those counted already."""
        if points and self._froms:
            self._queue.append((day.toordinal(), points))
            self._points += points

    def get_tier(self, on: date) -> str | None:
        """Return the tier of a day; days go forward only."""
        queue, first = self._queue, on.toordinal() - self._days
        while queue and queue[0][0] < first:
            self._points -= queue.popleft()[1]
        return self._names[bisect_right(self._froms, self._points)]


class Course:
    """One version of a programme on its way through histories, member by member."""

    def __init__(self, name: str, spec: ProgrammeSpec, *, on: date) -> None:
        """Make the version ready; nobody has done anything yet."""
        self.rules: Rules = compile_programme(name, 0, spec)
        self.takes_all = _takes_all(spec)
        self.earning_count = self.issued = self.redeemed = self.short = self.expired = self.open = 0
        self.months: Counter[str] = Counter()
        self.member_issued = 0
        self.is_member = False
        self._on = on
        self._window = Window(spec.tiers)
        self._lots: dict[tuple[date, date], int] = {}
        self._counts: dict[facts.Counter, int] = {}
        self._purchase_count = 0

    def take(self, deed: Deed) -> None:
        """Let a member do the next thing, in the order of time. What is after the last day is left out."""
        if deed.redeemed:
            self._redeem(deed)
        elif self.takes_all or deed.was_member:
            self._earn(deed.purchase)

    def _earn(self, purchase: facts.Purchase) -> None:
        rules = self.rules
        day = to_business_day(purchase.occurred_at, rules.zone)
        if day > self._on:
            return
        self.is_member = True
        if abs(purchase.amount_minor) > facts.AMOUNT_MAX:
            return
        member = facts.Member(
            tiers={TIERS_LADDER: self._window.get_tier(day)}, purchase_count=self._purchase_count, counts=self._counts
        )
        earning = evaluate(purchase, member, rules, explains=False)
        self._purchase_count += earning.outcome in COUNTED
        for count in earning.counts:
            self._counts[count.counter] = self._counts.get(count.counter, 0) + count.amount
        lots = book(purchase, earning, rules).lots if purchase.returned_minor else earning.lots
        if not lots:
            return
        points = 0
        for lot in lots:
            key = (lot.terms.expires_on or date.max, lot.terms.available_from or date.max)
            self._lots[key] = self._lots.get(key, 0) + lot.points
            points += lot.points
        self.earning_count += 1
        self.member_issued += points
        self.months[day.isoformat()[:7]] += points
        self._window.add(day, points)

    def _redeem(self, deed: Deed) -> None:
        day = to_business_day(deed.purchase.occurred_at, self.rules.zone)
        if day > self._on:
            return
        left = deed.redeemed
        for key in sorted(self._lots):
            if key[0] <= day or key[1] > day:
                continue
            taken = min(left, self._lots[key])
            self._lots[key] -= taken
            left -= taken
            if not left:
                break
        self.redeemed += deed.redeemed - left
        self.short += left

    def end_member(self) -> tuple[int, str | None]:
        """Return what the member was given and the tier of the last day, and start with another one."""
        given, tier = self.member_issued, self._window.get_tier(self._on)
        self.issued += given
        for (expires_on, _), rest in self._lots.items():
            if expires_on <= self._on:
                self.expired += rest
            else:
                self.open += rest
        self.member_issued = self._purchase_count = 0
        self.is_member = False
        self._lots.clear()
        self._counts.clear()
        self._window.clear()
        return given, tier

    def to_figures(self) -> Figures:
        """Return the totals so far."""
        return Figures(
            earning_count=self.earning_count,
            points_issued=self.issued,
            points_redeemed=self.redeemed,
            points_short=self.short,
            points_expired=self.expired,
            points_open=self.open,
        )


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What came out for a part of the members; parts add up, see `add_parts`."""

    purchase_count: int
    member_count: int
    running: Figures
    proposed: Figures
    tiers: dict[tuple[str | None, str | None], int]
    winners: Side
    losers: Side
    months: tuple[Month, ...]


class Tryout:
    """Both versions side by side on their way through histories."""

    def __init__(self, trial: Trial) -> None:
        """Make both ready."""
        self._trial = trial
        self._courses = [
            Course(trial.programme, spec, on=trial.on) if spec else None for spec in (trial.running, trial.proposed)
        ]
        self.purchase_count = 0
        self._member_count = 0
        self._tiers: Counter[tuple[str | None, str | None]] = Counter()
        self._gains: tuple[list[Gain], list[Gain]] = ([], [])
        self._sums = [[0, 0], [0, 0]]

    def take_member(self, profile_id: UUID, deeds: Iterable[Deed]) -> None:
        """Go through all a member did, in the order of time, by both versions."""
        running, proposed = self._courses
        for deed in deeds:
            self.purchase_count += not deed.redeemed
            if running is not None:
                running.take(deed)
            if proposed is not None:
                proposed.take(deed)
        is_member = any(each is not None and each.is_member for each in self._courses)
        ends = [each.end_member() if each is not None else (0, None) for each in self._courses]
        if not is_member:
            return
        (before, tier_before), (after, tier_after) = ends
        self._member_count += 1
        self._tiers[tier_before, tier_after] += 1
        if before != after:
            self._note(Gain(points=after - before, profile_id=profile_id, running=before, proposed=after))

    def _note(self, gain: Gain) -> None:
        side = 0 if gain.points > 0 else 1
        self._sums[side][0] += 1
        self._sums[side][1] += gain.points
        gains = self._gains[side]
        gains.append(gain)
        if len(gains) > 4 * self._trial.top_count + 100:
            gains[:] = pick_largest(gains, self._trial.top_count)

    def finish(self) -> Part:
        """Return what came out."""
        running, proposed = (each.to_figures() if each else Figures() for each in self._courses)
        months = [each.months if each else Counter[str]() for each in self._courses]
        winners, losers = (
            Side(member_count=count, points=points, largest=pick_largest(gains, self._trial.top_count))
            for (count, points), gains in zip(self._sums, self._gains, strict=True)
        )
        return Part(
            purchase_count=self.purchase_count,
            member_count=self._member_count,
            running=running,
            proposed=proposed,
            tiers=dict(self._tiers),
            winners=winners,
            losers=losers,
            months=tuple(
                Month(month=month, running=months[0][month], proposed=months[1][month])
                for month in sorted({*months[0], *months[1]})
            ),
        )


def pick_largest(gains: Iterable[Gain], count: int) -> tuple[Gain, ...]:
    """Return the largest differences first, up or down; of equals the lower profile id."""
    return tuple(sorted(gains, key=lambda each: (-abs(each.points), each.profile_id))[:count])


def add_parts(parts: Sequence[Part], *, trial: Trial, sample_of: int = 1) -> Simulation:
    """Put together what came out for parts of the members; any partition of the members gives the same."""
    tiers: Counter[tuple[str | None, str | None]] = Counter()
    months: dict[str, list[int]] = {}
    for part in parts:
        tiers.update(part.tiers)
        for month in part.months:
            sums = months.setdefault(month.month, [0, 0])
            sums[0] += month.running
            sums[1] += month.proposed
    levels = _list_levels(trial)
    return Simulation(
        programme=trial.programme,
        on=trial.on,
        sample_of=sample_of,
        purchase_count=sum(part.purchase_count for part in parts),
        member_count=sum(part.member_count for part in parts),
        running=_add_figures([part.running for part in parts]),
        proposed=_add_figures([part.proposed for part in parts]),
        tiers=tuple(
            TierCount(
                tier=level,
                running=sum(count for (before, _), count in tiers.items() if before == level),
                proposed=sum(count for (_, after), count in tiers.items() if after == level),
            )
            for level in levels
        ),
        tier_moves=tuple(
            TierShift(running=before, proposed=after, member_count=tiers[before, after])
            for before in levels
            for after in levels
            if before != after and tiers[before, after]
        ),
        winners=_add_sides([part.winners for part in parts], trial.top_count),
        losers=_add_sides([part.losers for part in parts], trial.top_count),
        months=tuple(Month(month=month, running=sums[0], proposed=sums[1]) for month, sums in sorted(months.items())),
        notes=_list_notes(trial),
    )


def _list_levels(trial: Trial) -> list[str | None]:
    """Return the levels of both ladders from low to high, those of the proposed one first; None is no tier."""
    names: list[str | None] = []
    for spec in (trial.proposed, trial.running):
        if spec is not None and spec.tiers is not None:
            names += [level.name for level in spec.tiers.levels if level.name not in names]
    is_without = any(spec is None or spec.tiers is None for spec in (trial.proposed, trial.running))
    return [None, *names] if is_without else names


def _add_figures(figures: Sequence[Figures]) -> Figures:
    return Figures(**{name: sum(getattr(each, name) for each in figures) for name in Figures.__struct_fields__})


def _add_sides(sides: Sequence[Side], count: int) -> Side:
    return Side(
        member_count=sum(each.member_count for each in sides),
        points=sum(each.points for each in sides),
        largest=pick_largest((gain for each in sides for gain in each.largest), count),
    )


def _list_notes(trial: Trial) -> tuple[str, ...]:
    return (CONDITIONAL,) if asks_members(trial) else ()
