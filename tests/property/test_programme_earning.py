"""Earning: the same result every time and in any order of rules, whole numbers that add up, limits that hold."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from comity.definitions.types import (
    BudgetSpec,
    Cap,
    CapPeriod,
    EarningRule,
    ExclusionSpec,
    GroupSpec,
    NeverExpiry,
    PendingSpec,
    PointsSpec,
    ProgrammeSpec,
    RateSpec,
    RollingExpiry,
    Rounding,
    Span,
    Stacking,
    WhenShort,
    WorthSpec,
)
from comity.programme.engine.arithmetic import apportion, apportion_within, round_ratio
from comity.programme.engine.compiling import compile_programme
from comity.programme.engine.evaluating import evaluate
from comity.programme.engine.facts import Line, Member, Outcome, Purchase, StepKind

FEW = settings(max_examples=80, deadline=None)
CATEGORIES = ["room", "spa", "bar", "gift"]
PERIODS = st.sampled_from(list(CapPeriod))
CAPS = st.one_of(
    st.builds(Cap, per=PERIODS, points=st.integers(1, 400)),
    st.builds(Cap, per=st.sampled_from([each for each in CapPeriod if each != "purchase"]), times=st.integers(1, 3)),
)
COMMON = {
    "points": st.sampled_from([None, "coins", "status"]),
    "group": st.sampled_from([None, "a", "b"]),
    "categories": st.lists(st.sampled_from(CATEGORIES), max_size=2).map(tuple),
    "caps": st.lists(CAPS, max_size=2).map(tuple),
    "budget": st.sampled_from([None, None, "summer"]),
    "amount_min_minor": st.sampled_from([0, 0, 500]),
}
TERMS = {
    "pending": st.sampled_from([None, PendingSpec(days=7), PendingSpec(until="stay_completed")]),
    "expiry": st.sampled_from([None, NeverExpiry(), RollingExpiry(after=Span(months=1))]),
}
ROUNDINGS = st.sampled_from(list(Rounding))
RATES = st.builds(RateSpec, points=st.integers(1, 20), per_minor=st.integers(1, 300))
NAMES = st.sampled_from(["r1", "r2", "r3", "r4", "r5", "r6"])
AWARDS = st.one_of(
    st.builds(EarningRule, name=NAMES, rate=RATES, rounding=ROUNDINGS, **COMMON, **TERMS),
    st.builds(EarningRule, name=NAMES, per_item=st.integers(1, 50), **COMMON, **TERMS),
    st.builds(EarningRule, name=NAMES, fixed=st.integers(1, 500), **COMMON, **TERMS),
)
MULTIPLIERS = st.builds(EarningRule, name=NAMES, multiplier_percent=st.integers(101, 500), **COMMON)
RULES = st.lists(st.one_of(AWARDS, MULTIPLIERS), max_size=6, unique_by=lambda each: each.name)
STACKINGS = st.sampled_from(list(Stacking))
SPECS = st.builds(
    ProgrammeSpec,
    title=st.just("Club"),
    currency=st.just("EUR"),
    timezone=st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Apia"]),
    points=st.just(
        (
            PointsSpec(name="coins", worth=WorthSpec(points=3, minor=2), caps=(Cap(per=CapPeriod.DAY, points=900),)),
            PointsSpec(name="status", spendable=False, worth=WorthSpec(points=1, minor=1)),
        )
    ),
    earning_rules=RULES.map(tuple),
    stacking=STACKINGS,
    groups=st.tuples(
        st.builds(GroupSpec, name=st.just("a"), stacking=STACKINGS),
        st.builds(GroupSpec, name=st.just("b"), stacking=STACKINGS),
    ),
    exclusions=st.just((ExclusionSpec(name="gifts", categories=("gift",)),)),
    budgets=st.tuples(
        st.builds(
            BudgetSpec,
            name=st.just("summer"),
            points=st.none() | st.integers(1, 2000),
            money_minor=st.integers(1, 900),
            per=st.sampled_from([CapPeriod.EVER, CapPeriod.MONTH]),
            when_short=st.sampled_from(list(WhenShort)),
        )
    ),
)
LINES = st.lists(
    st.builds(
        Line,
        line_id=st.uuids().map(str),
        amount_minor=st.integers(-500, 5000),
        quantity=st.integers(0, 4),
        category=st.sampled_from(CATEGORIES),
    ),
    max_size=4,
).map(tuple)
START = datetime(2026, 1, 30, 20, tzinfo=UTC)
PURCHASES = st.builds(
    Purchase,
    purchase_id=st.uuids().map(str),
    occurred_at=st.integers(0, 60 * 24 * 40).map(lambda minutes: START + timedelta(minutes=minutes)),
    amount_minor=st.integers(-100, 12_000),
    currency=st.just("EUR"),
    lines=LINES,
)


def compiled(spec):
    return compile_programme("club", 7, spec)


class TestArithmetic:
    @given(st.integers(0, 10**6), st.lists(st.integers(0, 10**6), min_size=1, max_size=8))
    def test_parts_add_up_and_are_close(self, total, weights):
        parts = apportion(total, weights)
        assert sum(parts) == total
        if sum(weights):
            exact = [Fraction(total * weight, sum(weights)) for weight in weights]
            assert all(abs(part - share) < 1 for part, share in zip(parts, exact, strict=True))

    @given(st.data(), st.lists(st.integers(0, 1000), min_size=1, max_size=8))
    def test_parts_stay_within_limits(self, data, limits):
        total = data.draw(st.integers(0, sum(limits)))
        parts = apportion_within(total, limits)
        assert sum(parts) == total
        assert all(0 <= part <= limit for part, limit in zip(parts, limits, strict=True))

    @given(st.integers(0, 10**9), st.integers(1, 10**4), ROUNDINGS)
    def test_rounding_is_what_it_is_called(self, numerator, denominator, rounding):
        exact = Fraction(numerator, denominator)
        low = exact.__floor__()
        expected = {
            Rounding.FLOOR: low,
            Rounding.CEILING: exact.__ceil__(),
            Rounding.HALF_UP: (exact + Fraction(1, 2)).__floor__(),
            Rounding.HALF_EVEN: round(exact),
        }
        assert round_ratio(numerator, denominator, rounding) == expected[rounding]


class TestEvaluate:
    @FEW
    @given(SPECS, PURCHASES, st.randoms(use_true_random=False))
    def test_is_the_same_every_time_and_in_any_order_of_rules(self, spec, purchase, chance):
        first = evaluate(purchase, Member(), compiled(spec))
        rules = list(spec.earning_rules)
        chance.shuffle(rules)
        groups = tuple(reversed(spec.groups))
        again = msgspec.structs.replace(spec, earning_rules=tuple(rules), groups=groups)
        assert evaluate(purchase, Member(), compiled(again)) == first
        assert evaluate(purchase, Member(), compiled(spec)) == first

    @FEW
    @given(SPECS, PURCHASES, st.randoms(use_true_random=False))
    def test_the_order_of_lines_changes_no_total_before_limits(self, spec, purchase, chance):
        free = msgspec.structs.replace(
            spec,
            points=tuple(msgspec.structs.replace(each, caps=()) for each in spec.points),
            earning_rules=tuple(msgspec.structs.replace(each, caps=(), budget=None) for each in spec.earning_rules),
        )
        net = msgspec.structs.replace(purchase, amount_minor=sum(max(each.amount_minor, 0) for each in purchase.lines))
        lines = list(net.lines)
        chance.shuffle(lines)
        turned = msgspec.structs.replace(net, lines=tuple(lines))
        one, other = (evaluate(each, Member(), compiled(free)) for each in (net, turned))
        assert one.points == other.points

    @FEW
    @given(SPECS, PURCHASES)
    def test_every_number_is_in_the_tree_and_everything_adds_up(self, spec, purchase):
        earning = evaluate(purchase, Member(), compiled(spec))
        root = earning.explanation
        assert root.inputs["version"] == earning.version == 7
        totals = {step.currency: step for step in root.steps if step.kind is StepKind.TOTAL}
        for currency, step in totals.items():
            assert step.points == earning.points.get(currency, 0) == sum(each.points for each in step.steps)
        assert set(earning.points) <= set(totals)
        lots = [(step.currency, step.points) for step in root.steps if step.kind is StepKind.LOT]
        assert lots == [(lot.currency, lot.points) for lot in earning.lots]
        by_currency = Counter()
        for lot in earning.lots:
            by_currency[lot.currency] += lot.points
        assert by_currency == Counter(earning.points)
        for place, lot in enumerate(earning.lots):
            assert lot.points == sum(share.points for share in earning.shares if share.lot == place)
        given_by = Counter()
        for step in totals.values():
            for each in step.steps:
                assert each.rule
                assert each.points == sum(part.points for part in each.steps) or not each.steps
                given_by[each.rule] += each.points
        held = Counter()
        for share in earning.shares:
            held[share.rule] += share.points
            assert share.points > 0
        assert +given_by == held
        if purchase.amount_minor > 0:
            assert sum(earning.line_minor.values()) == purchase.amount_minor

    @FEW
    @given(SPECS, PURCHASES)
    def test_there_are_no_floats(self, spec, purchase):
        def walk(value):
            assert not isinstance(value, float)
            for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
                walk(each)

        walk(msgspec.to_builtins(evaluate(purchase, Member(), compiled(spec))))

    @FEW
    @given(
        st.lists(st.integers(1, 5000), min_size=1, max_size=4),
        RATES,
        ROUNDINGS,
        st.lists(st.tuples(st.integers(101, 400), st.sampled_from([None, "a", "b"])), max_size=4),
        st.fixed_dictionaries(dict.fromkeys([None, "a", "b"], STACKINGS)),
    )
    def test_the_sum_is_that_of_one_rounding(self, amounts, rate, rounding, multipliers, stackings):
        spec = ProgrammeSpec(
            title="Club",
            currency="EUR",
            stacking=stackings[None],
            groups=tuple(GroupSpec(name=name, stacking=each) for name, each in stackings.items() if name),
            earning_rules=(
                EarningRule(name="base", rate=rate, rounding=rounding),
                *(
                    EarningRule(name=f"m{place}", multiplier_percent=percent, group=group)
                    for place, (percent, group) in enumerate(multipliers)
                ),
            ),
        )
        factor = Fraction(1)
        for group, stacking in stackings.items():
            held = [Fraction(percent, 100) for percent, name in multipliers if name == group]
            if stacking is Stacking.MULTIPLY:
                for each in held:
                    factor *= each
            elif held:
                extra = [each - 1 for each in held]
                factor *= 1 + (sum(extra) if stacking is Stacking.ADD else max(extra))
        exact = Fraction(sum(amounts) * rate.points, rate.per_minor) * factor
        lines = tuple(Line(line_id=str(place), amount_minor=each) for place, each in enumerate(amounts))
        purchase = Purchase(purchase_id="p", occurred_at=START, amount_minor=sum(amounts), currency="EUR", lines=lines)
        earning = evaluate(purchase, Member(), compiled(spec))
        assert earning.points.get("points", 0) == round_ratio(exact.numerator, exact.denominator, rounding)

    @FEW
    @given(SPECS, st.lists(PURCHASES, max_size=8, unique_by=lambda each: each.purchase_id))
    def test_caps_and_budgets_hold_over_many_purchases(self, spec, purchases):
        rules = compiled(spec)
        counts, budgets = Counter(), Counter()
        given_by, times = Counter(), Counter()
        for purchase in sorted(purchases, key=lambda each: (each.occurred_at, each.purchase_id)):
            earning = evaluate(purchase, Member(counts=counts), rules, budgets=budgets)
            counts.update({each.counter: each.amount for each in earning.counts})
            budgets.update({each.counter: each.amount for each in earning.budget_counts})
            by_rule = Counter()
            for share in earning.shares:
                by_rule[share.rule] += share.points
            given_by.update(by_rule)
            times.update(by_rule.keys())
            assert earning.points.get("coins", 0) <= 900
            check_caps(spec, CapPeriod.PURCHASE, by_rule, Counter())
        check_caps(spec, CapPeriod.EVER, given_by, times)
        [budget] = spec.budgets
        for (name, _), amount in budgets.items():
            assert amount <= (budget.money_minor if ".money." in name else budget.points)


def check_caps(spec, period, points, times):
    for rule in spec.earning_rules:
        for cap in rule.caps:
            if cap.per is period:
                assert points[rule.name] <= (cap.points or points[rule.name])
                assert times[rule.name] <= (cap.times or times[rule.name])


class TestRefusals:
    def test_are_outcomes(self):
        rules = compiled(ProgrammeSpec(title="C", currency="EUR", brands=("spa",)))
        purchase = Purchase(purchase_id="p", occurred_at=START, amount_minor=0, currency="EUR", brand="spa")
        replace = msgspec.structs.replace
        assert evaluate(purchase, Member(), rules).outcome is Outcome.NOT_POSITIVE
        assert evaluate(replace(purchase, currency="USD"), Member(), rules).outcome is Outcome.OTHER_CURRENCY
        assert evaluate(replace(purchase, brand=None), Member(), rules).outcome is Outcome.OTHER_BRAND
        assert evaluate(replace(purchase, amount_minor=5), Member(), rules).outcome is Outcome.NOTHING
        assert evaluate(purchase, Member(), rules).business_on == date(2026, 1, 30)
