"""A version of a programme, made ready to run: names looked up, conditions compiled, rules in their order.

Rules run in the order of their names, so that the order in which somebody wrote them down changes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

import msgspec

from comity.definitions.types import (
    BASE_RULE,
    AttributeType,
    BudgetSpec,
    Cap,
    CapPeriod,
    EarningRule,
    Expiry,
    GroupSpec,
    LadderSpec,
    PendingSpec,
    PointsSpec,
    ProgrammeSpec,
    RateSpec,
    Rounding,
    Stacking,
    condition_function,
    condition_words,
)
from comity.kernel.errors import NotFound
from comity.programme.engine.asking import Asked
from comity.programme.engine.days import add_days, to_business_day
from comity.programme.engine.facts import Line, Purchase, Terms
from comity.programme.engine.lifetimes import follow_event, plan_terms

PurchaseTest = Callable[[Asked], bool]
LineTest = Callable[[Asked, int], bool]


class UnknownProgrammePart(NotFound):
    """A programme names points, a ladder or a budget that it does not define; validate it first."""


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """A cap or budget as a counter: at most `most` in a period."""

    counter: str
    period: CapPeriod
    most: int
    is_times: bool = False


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """A budget of a promotion; `money` counts minor units, at `worth_minor` for each `worth_points`."""

    name: str
    points: Limit | None
    money: Limit | None
    worth_points: int
    worth_minor: int
    gives_part: bool


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """An earning rule ready to run; `terms` is its place in `Rules.terms`, `currency` in `Rules.points`.

    An open rule holds for every line of every purchase.
    """

    name: str
    currency: int
    group: str
    stacking: Stacking
    rate: RateSpec | None
    per_item: int
    fixed: int
    percent: int
    rounding: Rounding
    terms: int
    amount_min_minor: int
    purchase_tests: tuple[PurchaseTest, ...]
    line_tests: tuple[LineTest, ...]
    limits: tuple[Limit, ...]
    budget: Budget | None
    is_open: bool
    multipliers: "tuple[Rule, ...]" = ()


class Exclusion(msgspec.Struct, frozen=True, kw_only=True):
    """Lines that earn nothing."""

    name: str
    line_tests: tuple[LineTest, ...]


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a programme, ready to run.

    `words` are the words its conditions use: what of a member's attributes has to be known; `events` are those that
    points wait for. `ladder_points` are the
    kinds of points the ladders go by. `known_terms` remembers what `get_terms` has worked out.
    """

    programme: str
    version: int
    spec: ProgrammeSpec
    zone: ZoneInfo
    points: tuple[PointsSpec, ...]
    point_limits: tuple[tuple[Limit, ...], ...]
    awards: tuple[Rule, ...]
    exclusions: tuple[Exclusion, ...]
    terms: tuple[tuple[PendingSpec | None, Expiry], ...]
    ladders: tuple[LadderSpec, ...]
    ladder_points: tuple[str, ...]
    words: frozenset[str]
    events: frozenset[str]
    has_point_limits: bool
    has_limits: bool
    known_terms: dict[tuple[int, date], Terms] = msgspec.field(default_factory=dict[tuple[int, date], Terms])

    def get_terms(self, place: int, day: date) -> Terms:
        """Get the terms of points earned on a day, by their place in `terms`; most days have many purchases."""
        found = self.known_terms.get((place, day))
        if found is None:
            found = self.known_terms[place, day] = plan_terms(*self.terms[place], day)
        return found

    def follow_terms(self, place: int, day: date, purchase: Purchase) -> Terms:
        """Get the terms of points that a purchase earned on a day, as they are by what has happened since."""
        found = self.get_terms(place, day)
        if found.awaits is None or (not purchase.events and purchase.known_on is None):
            return found
        return follow_event(
            *self.terms[place], day, self._to_day(purchase.events.get(found.awaits)), known_on=purchase.known_on
        )

    def find_terms(self, terms: Terms, purchase: Purchase) -> Terms:
        """Find the rule of a lifetime that made these terms, and return them by what has happened since."""
        for pending, expiry in self.terms if terms.waits_until is not None else ():
            if pending is not None and pending.until is not None and pending.until == terms.awaits:
                earned_on = add_days(terms.waits_until or date.max, -pending.at_most_days)
                if plan_terms(pending, expiry, earned_on) == terms:
                    event_on = self._to_day(purchase.events.get(pending.until))
                    return follow_event(pending, expiry, earned_on, event_on, known_on=purchase.known_on)
        return terms

    def _to_day(self, moment: datetime | None) -> date | None:
        return None if moment is None else to_business_day(moment, self.zone)

    @property
    def first_ladder(self) -> str:
        """The ladder `loyalty.tier` speaks of; empty where there is none."""
        return self.ladders[0].name if self.ladders else ""

    @property
    def budget_limits(self) -> Mapping[str, int]:
        """What budgets hold in a period, by the name of the counter; those that no rule draws on are left out."""
        budgets = (rule.budget for award in self.awards for rule in (award, *award.multipliers))
        limits = (limit for each in budgets if each is not None for limit in (each.points, each.money))
        return {each.counter: each.most for each in limits if each is not None}

    def get_points(self, name: str | None) -> PointsSpec:
        """Get a kind of points by name; None stands for the usual one. Raises UnknownProgrammePart."""
        return self.points[_place(name, self.points)]


def compile_programme(
    name: str, version: int, spec: ProgrammeSpec, *, attributes: Mapping[str, AttributeType] | None = None
) -> Rules:
    """Make a version of a programme ready to run; `attributes` are the golden attributes conditions may speak of.

    The spec has passed validation; what that would have refused raises UnknownProgrammePart, ConditionInvalid or the
    error of an unknown time zone here.
    """
    compiler = _Compiler(name, spec, attributes or {})
    awards = [compiler.rule(each) for each in compiler.sorted_rules() if not each.is_multiplier]
    multipliers = [(each, compiler.rule(each)) for each in compiler.sorted_rules() if each.is_multiplier]
    multipliers.sort(key=lambda each: each[1].group)
    has_point_limits = any(each.caps for each in compiler.points)
    return Rules(
        programme=name,
        version=version,
        spec=spec,
        zone=ZoneInfo(spec.timezone),
        points=compiler.points,
        point_limits=tuple(_limits(f"points.{each.name}", each.caps) for each in compiler.points),
        awards=tuple(
            msgspec.structs.replace(
                award, multipliers=tuple(rule for told, rule in multipliers if _multiplies(told, rule, award))
            )
            for award in awards
        ),
        exclusions=tuple(
            Exclusion(name=each.name, line_tests=compiler.line_tests(each.categories, each.items, each.when)[0])
            for each in sorted(spec.exclusions, key=lambda each: each.name)
        ),
        terms=tuple(compiler.terms),
        ladders=spec.ladder_specs,
        ladder_points=tuple(compiler.points[_place(each.points, compiler.points)].name for each in spec.ladder_specs),
        words=frozenset(compiler.words),
        events=frozenset(pending.until for pending, _ in compiler.terms if pending and pending.until),
        has_point_limits=has_point_limits,
        has_limits=has_point_limits or any(each.caps or each.budget for each in spec.earning_rules),
    )


def _multiplies(told: EarningRule, rule: Rule, award: Rule) -> bool:
    if rule.currency != award.currency:
        return False
    return award.name in told.of if told.of else not award.fixed


def _place(name: str | None, points: Sequence[PointsSpec]) -> int:
    for place, each in enumerate(points):
        if name in {None, each.name}:
            return place
    raise UnknownProgrammePart(details={"points": name})


def _limits(counter: str, caps: Sequence[Cap]) -> tuple[Limit, ...]:
    return tuple(
        Limit(counter=f"{counter}.points.{cap.per}", period=cap.per, most=cap.points)
        if cap.points is not None
        else Limit(counter=f"{counter}.times.{cap.per}", period=cap.per, most=cap.times or 0, is_times=True)
        for cap in caps
    )


class _Compiler:
    def __init__(self, name: str, spec: ProgrammeSpec, attributes: Mapping[str, AttributeType]) -> None:
        self.name = name
        self.spec = spec
        self.points = spec.points_specs
        self.groups: Mapping[str, GroupSpec] = {each.name: each for each in spec.groups}
        self.budgets: Mapping[str, BudgetSpec] = {each.name: each for each in spec.budgets}
        self.purchase_types = condition_words(spec, attributes, has_lines=False)
        self.types = condition_words(spec, attributes, has_lines=True)
        self.terms: list[tuple[PendingSpec | None, Expiry]] = [(each.pending, each.expiry) for each in self.points]
        self.words: set[str] = set()

    def sorted_rules(self) -> list[EarningRule]:
        """Return the rules by name, those of one name by time; the short form is the rule `base`."""
        base: list[EarningRule] = []
        if self.spec.earning is not None and self.spec.earning.points_per_unit:
            short = self.spec.earning
            rate = RateSpec(points=short.points_per_unit, per_minor=short.unit_minor)
            base = [EarningRule(name=BASE_RULE, rate=rate, rounding=short.rounding)]
        return sorted([*base, *self.spec.earning_rules], key=lambda each: (each.name, each.first_day or date.min))

    def rule(self, told: EarningRule) -> Rule:
        """Make one rule ready."""
        currency = _place(told.points, self.points)
        group = self.groups.get(told.group or "")
        line_tests, purchase_tests = self.line_tests(told.categories, told.items, told.when)
        tests = (*self._purchase_tests(told), *purchase_tests)
        return Rule(
            name=told.name,
            currency=currency,
            group=told.group or "",
            stacking=group.stacking if group else self.spec.stacking,
            rate=told.rate,
            per_item=told.per_item or 0,
            fixed=told.fixed or 0,
            percent=told.multiplier_percent or 100,
            rounding=told.rounding or Rounding.FLOOR,
            terms=self._terms(told, currency),
            amount_min_minor=told.amount_min_minor,
            purchase_tests=tests,
            line_tests=line_tests,
            limits=_limits(f"rule.{told.name}", told.caps),
            budget=self._budget(told.budget, self.points[currency]),
            is_open=not (tests or line_tests or told.amount_min_minor),
        )

    def _terms(self, told: EarningRule, currency: int) -> int:
        points = self.points[currency]
        own = (told.pending or points.pending, told.expiry or points.expiry)
        if own not in self.terms:
            self.terms.append(own)
        return self.terms.index(own)

    def _budget(self, name: str | None, points: PointsSpec) -> Budget | None:
        if name is None:
            return None
        if name not in self.budgets:
            raise UnknownProgrammePart(details={"budget": name})
        spec, worth = self.budgets[name], points.worth
        counter = f"budget.{name}"
        return Budget(
            name=name,
            points=_budget_limit(f"{counter}.points", spec.per, spec.points),
            money=_budget_limit(f"{counter}.money", spec.per, spec.money_minor) if worth else None,
            worth_points=worth.points if worth else 1,
            worth_minor=worth.minor if worth else 0,
            gives_part=spec.when_short.value == "partial",
        )

    def line_tests(
        self, categories: Sequence[str], items: Sequence[str], when: str | None
    ) -> tuple[tuple[LineTest, ...], tuple[PurchaseTest, ...]]:
        """Return the tests of a line, and a condition that does not speak of lines as a test of the purchase."""
        tests: list[LineTest] = []
        if categories:
            tests.append(_one_of(frozenset(categories), "category"))
        if items:
            tests.append(_one_of(frozenset(items), "item"))
        if when is None:
            return tuple(tests), ()
        condition = condition_function(when, types=self.types)
        self.words |= condition.words
        ask = condition.ask
        words = tuple(sorted(word for word in condition.words if not word.startswith("line.")))
        if len(words) < len(condition.words):
            tests.append(lambda asked, place: ask(asked.line_row(place, words), asked.business_on) is True)
            return tuple(tests), ()
        return tuple(tests), (lambda asked: ask(asked.row(words), asked.business_on) is True,)

    def _purchase_tests(self, told: EarningRule) -> list[PurchaseTest]:
        tests: list[PurchaseTest] = []
        if told.first_day is not None or told.last_day is not None:
            first, last = told.first_day or date.min, told.last_day or date.max
            tests.append(lambda asked: first <= asked.business_on <= last)
        for words, field in ((told.channels, "channel"), (told.stores, "store"), (told.brands, "brand")):
            if words:
                tests.append(_purchase_one_of(frozenset(words), field))
        if told.first_purchase:
            tests.append(lambda asked: asked.member.purchase_count == 0)
        if told.tiers:
            ladders = frozenset(
                ladder.name
                for ladder in self.spec.ladder_specs
                if any(level.name in told.tiers for level in ladder.levels)
            )
            tests.append(_on_a_level(frozenset(told.tiers), ladders))
        return tests


def _budget_limit(counter: str, per: CapPeriod, most: int | None) -> Limit | None:
    return None if most is None else Limit(counter=f"{counter}.{per}", period=per, most=most)


def _one_of(words: frozenset[str], field: str) -> LineTest:
    def test(asked: Asked, place: int) -> bool:
        line: Line = asked.lines[place]
        return getattr(line, field) in words

    return test


def _purchase_one_of(words: frozenset[str], field: str) -> PurchaseTest:
    return lambda asked: getattr(asked.purchase, field) in words


def _on_a_level(levels: frozenset[str], ladders: frozenset[str]) -> PurchaseTest:
    if len(ladders) == 1:
        [only] = ladders
        return lambda asked: asked.member.tiers.get(only) in levels
    return lambda asked: any(asked.member.tiers.get(ladder) in levels for ladder in ladders)
