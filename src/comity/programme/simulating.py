"""A version of a programme tried on members' histories. Pure.

Purchases go one by one in the order of their time, each as the running hub takes one in the moment it happens: by the
tier of its day, with what caps have counted so far. What came back of it never counted. Redemptions of the past are
made again, as far as the points go, from the lots that expire first. Members do not touch each other, so any part of
them may be gone through by itself; but where they share budgets, all go side by side through time.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec
from msgspec.structs import replace

from comity.definitions.types import ActivityKind, ProgrammeSpec
from comity.programme.climbing import climb
from comity.programme.engine import facts
from comity.programme.engine.compiling import Rules, compile_programme
from comity.programme.engine.days import to_business_day
from comity.programme.engine.evaluating import evaluate
from comity.programme.engine.replaying import book
from comity.programme.simulating_kinds import Tally
from comity.programme.simulating_sums import Part, Shift, pair_ladders, pick_largest, takes_all
from comity.programme.simulating_types import Figures, Gain, Month, Side, Trial

COUNTED = frozenset({facts.Outcome.EARNED, facts.Outcome.NOTHING})
"""Purchases that make the next one not the first."""


def _give_part(spec: ProgrammeSpec | None, sample_of: int) -> ProgrammeSpec | None:
    """Return the programme with budgets as large as the sample's part of the members."""
    if spec is None or not spec.budgets or sample_of == 1:
        return spec
    parts = [
        replace(
            each,
            points=each.points and max(each.points // sample_of, 1),
            money_minor=each.money_minor and max(each.money_minor // sample_of, 1),
        )
        for each in spec.budgets
    ]
    return replace(spec, budgets=tuple(parts))


class Deed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing a member did: a purchase, a redemption of so many points, or a visit (none of all).

    Or so many points were given by hand, below zero taken: `adjusted`.
    `kind` is that of the points (None: the first). `was_member` says that the hub let the purchase earn in this
    programme, if only nothing.
    """

    purchase: facts.Purchase
    redeemed: int = 0
    adjusted: int = 0
    kind: str | None = None
    was_member: bool = True

    @property
    def is_visit(self) -> bool:
        """Nothing was bought, redeemed or adjusted."""
        return not self.redeemed and not self.adjusted and not self.purchase.purchase_id


class Course:
    """One version of a programme on its way through histories, member by member."""

    def __init__(self, rules: Rules, *, on: date, budgets: dict[facts.Counter, int]) -> None:
        """Nobody has done anything yet; `budgets` may be shared with others."""
        spec = rules.spec
        self.rules = rules
        self.budgets = budgets
        self.takes_all = takes_all(spec)
        self.kinds = {each.name: Tally(each.expiry) for each in rules.points}
        self.usual = rules.points[0].name
        self.months: Counter[str] = Counter()
        self.is_member = False
        self._on = on
        self._climbs = {ladder.name: climb(ladder) for ladder in rules.ladders}
        self._ladder_points = rules.ladder_points
        self._counts: dict[facts.Counter, int] = {}
        self._purchase_count = 0

    def take(self, deed: Deed) -> None:
        """Let a member do the next thing, in the order of time. What is after the last day is left out."""
        if deed.redeemed:
            self._redeem(deed)
        elif deed.adjusted:
            self._adjust(deed)
        elif deed.is_visit:
            self._slide(to_business_day(deed.purchase.occurred_at, self.rules.zone), ActivityKind.VISIT)
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
        member = facts.Member(tiers=self._find_levels(day), purchase_count=self._purchase_count, counts=self._counts)
        if rules.events:
            purchase = msgspec.structs.replace(purchase, known_on=self._on)
        earning = evaluate(purchase, member, rules, budgets=self.budgets, explains=False)
        self._purchase_count += earning.outcome in COUNTED
        for count in earning.counts:
            self._counts[count.counter] = self._counts.get(count.counter, 0) + count.amount
        booked = None
        if purchase.returned_minor or earning.budget_counts or rules.events:
            booked = book(purchase, earning, rules)
        lots = booked.lots if booked else earning.lots
        for draw in booked.draws if booked else ():
            self.budgets[draw.counter] = self.budgets.get(draw.counter, 0) + draw.net
        if earning.outcome in COUNTED:
            self._slide(day, ActivityKind.PURCHASE)
        if not lots:
            return
        self._slide(day, ActivityKind.EARN)
        self._give(lots, day)

    def _give(self, lots: Sequence[facts.Lot], day: date) -> None:
        for kind, tally in self.kinds.items():
            mine = lots if len(self.kinds) == 1 else [lot for lot in lots if lot.currency == kind]
            if not mine:
                continue
            points = tally.give(mine, day)
            self._climb(day, kind, points)
            if kind == self.usual:
                self.months[day.isoformat()[:7]] += points

    def _climb(self, day: date, kind: str, points: int) -> None:
        for each, follows in zip(self._climbs.values(), self._ladder_points, strict=True):
            if follows == kind:
                each.add(day, points)

    def _find_levels(self, on: date) -> dict[str, str | None]:
        return {name: each.find_level(on) for name, each in self._climbs.items()}

    def _redeem(self, deed: Deed) -> None:
        day = to_business_day(deed.purchase.occurred_at, self.rules.zone)
        if day > self._on:
            return
        tally = self.kinds.setdefault(deed.kind or self.usual, Tally())
        if tally.take(deed.redeemed, day):
            self._slide(day, ActivityKind.REDEEM)

    def _adjust(self, deed: Deed) -> None:
        """Do what was done by hand: what is given lives as points earned that day do, and counts for no tier."""
        day = to_business_day(deed.purchase.occurred_at, self.rules.zone)
        if day <= self._on:
            self.kinds.setdefault(deed.kind or self.usual, Tally()).adjust(deed.adjusted, day)

    def _slide(self, day: date, activity: ActivityKind) -> None:
        if day <= self._on:
            for each in self.kinds.values():
                each.slide(day, activity)

    def end_member(self) -> tuple[int, dict[str, str | None]]:
        """Return what the member was given and the levels of the last day, and start with another one."""
        levels = self._find_levels(self._on)
        given = {kind: tally.end_member(self._on) for kind, tally in self.kinds.items()}
        self._purchase_count = 0
        self.is_member = False
        self._counts.clear()
        for each in self._climbs.values():
            each.clear()
        return given[self.usual], levels

    def absorb(self, other: "Course") -> None:
        """Count what another course of the same version came to."""
        for kind, tally in other.kinds.items():
            self.kinds.setdefault(kind, Tally()).absorb(tally)
        self.months.update(other.months)


class Tryout:
    """Both versions side by side on their way through histories."""

    def __init__(self, trial: Trial, *, sample_of: int = 1) -> None:
        """Make both ready."""
        self._trial = trial
        specs = [_give_part(spec, sample_of) for spec in (trial.running, trial.proposed)]
        self._courses = [
            Course(compile_programme(trial.programme, 0, spec), on=trial.on, budgets={}) if spec else None
            for spec in specs
        ]
        self.purchase_count = 0
        self._member_count = 0
        self._tiers: Counter[Shift] = Counter()
        self._ladders = pair_ladders(trial)
        self._gains: tuple[list[Gain], list[Gain]] = ([], [])
        self._sums = [[0, 0], [0, 0]]

    def take_member(self, profile_id: UUID, deeds: Iterable[Deed]) -> None:
        """Go through all a member did, in the order of time, by both versions."""
        for deed in deeds:
            self._take(self._courses, deed)
        self._end_member(profile_id, self._courses)

    def take_together(self, members: Iterable[tuple[UUID, Iterable[Deed]]]) -> None:
        """Go through what all members did, side by side in the order of time."""
        profile_ids: list[UUID] = []
        deeds: list[tuple[datetime, bool, int, int, Deed]] = []
        for place, (profile_id, done) in enumerate(members):
            profile_ids.append(profile_id)
            for each in done:
                number = int(each.purchase.purchase_id or 0)
                deeds.append((each.purchase.occurred_at, not number, number, place, each))
        deeds.sort(key=lambda each: each[:4])
        courses = [self._fork() for _ in profile_ids]
        for *_, place, deed in deeds:
            self._take(courses[place], deed)
        for profile_id, own in zip(profile_ids, courses, strict=True):
            self._end_member(profile_id, own)
            for each, part in zip(self._courses, own, strict=True):
                if each is not None and part is not None:
                    each.absorb(part)

    def _fork(self) -> list[Course | None]:
        return [
            Course(each.rules, on=self._trial.on, budgets=each.budgets) if each is not None else None
            for each in self._courses
        ]

    def _take(self, courses: Sequence[Course | None], deed: Deed) -> None:
        self.purchase_count += bool(deed.purchase.purchase_id)
        for each in courses:
            if each is not None:
                each.take(deed)

    def _end_member(self, profile_id: UUID, courses: Sequence[Course | None]) -> None:
        is_member = any(each is not None and each.is_member for each in courses)
        nothing: tuple[int, dict[str, str | None]] = (0, {})
        ends = [each.end_member() if each is not None else nothing for each in courses]
        if not is_member:
            return
        (before, levels_before), (after, levels_after) = ends
        self._member_count += 1
        for pair in self._ladders:
            self._tiers[pair.name, pair.find_before(levels_before), levels_after.get(pair.name)] += 1
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
        running, proposed = (
            {kind: tally.to_figures() for kind, tally in each.kinds.items()} if each else {} for each in self._courses
        )
        usual = [each.usual if each else "" for each in self._courses]
        if usual[0] in running and usual[1] and usual[1] not in running and usual[0] not in proposed:
            # The first kind has another name, and stays what it was.
            running = {usual[1] if kind == usual[0] else kind: each for kind, each in running.items()}
            usual[0] = usual[1]
        months = [each.months if each else Counter[str]() for each in self._courses]
        winners, losers = (
            Side(member_count=count, points=points, largest=pick_largest(gains, self._trial.top_count))
            for (count, points), gains in zip(self._sums, self._gains, strict=True)
        )
        return Part(
            purchase_count=self.purchase_count,
            member_count=self._member_count,
            running=running.get(usual[0], Figures()),
            proposed=proposed.get(usual[1], Figures()),
            kinds={
                kind: (running.get(kind, Figures()), proposed.get(kind, Figures()))
                for kind in dict.fromkeys([*proposed, *running])
            },
            tiers=dict(self._tiers),
            winners=winners,
            losers=losers,
            months=tuple(
                Month(month=month, running=months[0][month], proposed=months[1][month])
                for month in sorted({*months[0], *months[1]})
            ),
        )
