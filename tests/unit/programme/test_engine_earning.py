"""What a purchase earns, case by case."""

from datetime import UTC, date, datetime
from fractions import Fraction
from math import ceil, floor

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.definitions.types import (
    AttributeType,
    BudgetSpec,
    Cap,
    CapPeriod,
    EarningRule,
    EarningSpec,
    ExclusionSpec,
    GroupSpec,
    LadderSpec,
    PendingSpec,
    PointsSpec,
    ProgrammeSpec,
    RateSpec,
    RollingExpiry,
    Rounding,
    Span,
    Stacking,
    TierLevel,
    WhenShort,
    WorthSpec,
)
from comity.ledger.types import AMOUNT_MAX as LEDGER_MAX
from comity.programme.engine.compiling import UnknownProgrammePart, compile_programme
from comity.programme.engine.evaluating import evaluate
from comity.programme.engine.facts import AMOUNT_MAX, InvalidPurchase, Line, Member, Outcome, Purchase, StepKind

BASE = EarningRule(name="base", rate=RateSpec(points=1, per_minor=100))
NOON = datetime(2026, 6, 5, 12, tzinfo=UTC)
LADDER = LadderSpec(
    name="status", levels=(TierLevel(name="Blue", points_from=0), TierLevel(name="Gold", points_from=500))
)


def spec(*rules, **changes):
    return ProgrammeSpec(title="Club", currency="EUR", timezone="Europe/Berlin", earning_rules=rules, **changes)


def bought(amount_minor, **changes):
    facts = {"purchase_id": "p", "occurred_at": NOON, "currency": "EUR"} | changes
    return Purchase(amount_minor=amount_minor, **facts)


def earn(told, purchase, member=Member(), **options):  # noqa: B008 - frozen.
    return evaluate(purchase, member, compile_programme("club", 1, told), **options)


def points(told, purchase, member=Member(), **options):  # noqa: B008 - frozen.
    return earn(told, purchase, member, **options).points.get("points", 0)


class TestAwards:
    @given(st.integers(1, 10**12), st.integers(1, 1000), st.integers(1, 10_000))
    def test_the_short_form_rounds_as_named(self, amount, rate, unit):
        exact = Fraction(amount * rate, unit)
        expected = {
            Rounding.FLOOR: floor(exact),
            Rounding.CEILING: ceil(exact),
            Rounding.HALF_UP: floor(exact + Fraction(1, 2)),
            Rounding.HALF_EVEN: round(exact),
        }
        for rounding in Rounding:
            short = EarningSpec(points_per_unit=rate, unit_minor=unit, rounding=rounding)
            told = ProgrammeSpec(title="P", currency="EUR", earning=short)
            assert points(told, bought(amount)) == expected[rounding]

    def test_says_what_rounding_left_over(self):
        step = earn(spec(BASE), bought(1234)).explanation.steps[0].steps[0]
        assert (step.rule, step.points, step.remainder, step.remainder_of) == ("base", 12, 34, 100)
        assert step.inputs == {"amount_minor": 1234, "points": 1, "per_minor": 100, "rounding": "floor"}

    def test_items_and_categories(self):
        nights = EarningRule(name="nights", per_item=10, categories=("room",))
        lines = (
            Line(line_id="1", amount_minor=900, quantity=3, category="room"),
            Line(line_id="2", amount_minor=100, category="bar"),
        )
        assert points(spec(nights), bought(1000, lines=lines)) == 30
        assert earn(spec(nights), bought(1000)).outcome is Outcome.NOTHING

    def test_a_discount_below_zero_is_shared(self):
        rule = EarningRule(name="spa", rate=RateSpec(points=1, per_minor=1), categories=("spa",))
        lines = (
            Line(line_id="1", amount_minor=600, category="spa"),
            Line(line_id="2", amount_minor=300, category="bar"),
            Line(line_id="3", amount_minor=-300),
        )
        assert points(spec(rule), bought(600, lines=lines)) == 400

    def test_what_no_line_covers_counts_too(self):
        earning = earn(spec(BASE), bought(1000, lines=(Line(line_id="1", amount_minor=600),)))
        assert earning.line_minor == {"1": 600, "": 400}
        assert earning.points == {"points": 10}

    def test_least_amount(self):
        rule = EarningRule(name="big", fixed=5, amount_min_minor=1000)
        assert (points(spec(rule), bought(999)), points(spec(rule), bought(1000))) == (0, 5)

    def test_excluded_lines_earn_nothing_and_say_so(self):
        told = spec(BASE, exclusions=(ExclusionSpec(name="gifts", categories=("gift",)),))
        lines = (
            Line(line_id="1", amount_minor=600, category="gift"),
            Line(line_id="2", amount_minor=400),
        )
        earning = earn(told, bought(1000, lines=lines))
        assert earning.points == {"points": 4}
        [step] = [each for each in earning.explanation.steps if each.kind is StepKind.EXCLUSION]
        assert (step.rule, step.inputs) == ("gifts", {"line": "1", "amount_minor": 600})


class TestConditions:
    @pytest.mark.parametrize(
        ("changes", "facts", "member", "fits"),
        [
            ({"channels": ("web",)}, {"channel": "web"}, {}, True),
            ({"channels": ("web",)}, {}, {}, False),
            ({"stores": ("s1",)}, {"store": "s1"}, {}, True),
            ({"brands": ("b",)}, {"brand": "c"}, {}, False),
            ({"tiers": ("Gold",)}, {}, {"tiers": {"status": "Gold"}}, True),
            ({"tiers": ("Gold",)}, {}, {"tiers": {"other": "Gold"}}, False),
            ({"first_purchase": True}, {}, {}, True),
            ({"first_purchase": True}, {}, {"purchase_count": 1}, False),
            ({"last_day": date(2026, 6, 5)}, {}, {}, True),
            ({"first_day": date(2026, 6, 6)}, {}, {}, False),
            ({"first_day": date(2026, 6, 6)}, {"occurred_at": datetime(2026, 6, 5, 22, tzinfo=UTC)}, {}, True),
            ({"when": "purchase.weekday = 5 and purchase.hour = 14"}, {}, {}, True),
            ({"when": "country = 'DE'"}, {}, {"attributes": {"country": "DE"}}, True),
            ({"when": "country = 'DE'"}, {}, {}, False),
            ({"when": "loyalty.tier = 'Gold' and tier.status = 'Gold'"}, {}, {"tiers": {"status": "Gold"}}, True),
            ({"when": "purchase.number = 3"}, {}, {"purchase_count": 2}, True),
            ({"when": "today = date '2026-06-05'"}, {}, {}, True),
        ],
    )
    def test_decide(self, changes, facts, member, fits):
        told = spec(EarningRule(name="r", fixed=1, **changes), ladders=(LADDER,))
        rules = compile_programme("club", 1, told, attributes={"country": AttributeType.TEXT})
        earning = evaluate(bought(100, **facts), Member(**member), rules)
        assert earning.points == ({"points": 1} if fits else {})

    def test_of_lines_choose_lines(self):
        told = spec(msgspec.structs.replace(BASE, when="line.category = 'spa' and purchase.channel = 'web'"))
        lines = (Line(line_id="1", amount_minor=600, category="spa"), Line(line_id="2", amount_minor=400))
        assert points(told, bought(1000, lines=lines, channel="web")) == 6
        assert points(told, bought(1000, lines=lines)) == 0

    def test_rules_that_do_not_hold_can_be_told(self):
        told = spec(BASE, EarningRule(name="web", fixed=5, channels=("web",)))
        steps = earn(told, bought(100), tells_skipped=True).explanation.steps
        assert [each.rule for each in steps if each.kind is StepKind.SKIPPED] == ["web"]


class TestStacking:
    def doubled(self, stacking):
        rules = [EarningRule(name=f"m{each}", multiplier_percent=each, group="g") for each in (200, 300)]
        return spec(BASE, *rules, groups=(GroupSpec(name="g", stacking=stacking),))

    @pytest.mark.parametrize(
        ("stacking", "total", "bonuses"),
        [(Stacking.ADD, 40, [10, 20]), (Stacking.MULTIPLY, 60, [10, 40]), (Stacking.BEST_OF, 30, [0, 20])],
    )
    def test_of_multipliers(self, stacking, total, bonuses):
        earning = earn(self.doubled(stacking), bought(1000))
        assert earning.points == {"points": total}
        steps = earning.explanation.steps[0].steps
        assert [each.points for each in steps if each.kind is StepKind.BONUS] == bonuses

    def test_the_best_award_gives_alone(self):
        rules = [EarningRule(name=f"f{each}", fixed=each, group="g") for each in (5, 7, 7)[:2]]
        told = spec(*rules, groups=(GroupSpec(name="g", stacking=Stacking.BEST_OF),))
        assert points(told, bought(100)) == 7
        capped = msgspec.structs.replace(rules[1], caps=(Cap(per=CapPeriod.DAY, points=7),))
        told = spec(rules[0], capped, groups=told.groups)
        used = Member(counts={("rule.f7.points.day", "2026-06-05"): 6})
        assert points(told, bought(100), used) == 5

    def test_of_equal_awards_the_first_by_name_gives(self):
        rules = [EarningRule(name=name, fixed=7, group="g") for name in ("b", "a", "c")]
        told = spec(*rules, groups=(GroupSpec(name="g", stacking=Stacking.BEST_OF),))
        assert [share.rule for share in earn(told, bought(100)).shares] == ["a"]

    def test_a_multiplier_leaves_fixed_awards_alone_unless_it_names_them(self):
        fixed, double = EarningRule(name="gift", fixed=50), EarningRule(name="double", multiplier_percent=200)
        assert points(spec(BASE, fixed, double), bought(1000)) == 70
        assert points(spec(BASE, fixed, msgspec.structs.replace(double, of=("gift",))), bought(1000)) == 110

    def test_a_multiplier_of_some_lines(self):
        double = EarningRule(name="double", multiplier_percent=200, categories=("spa",))
        lines = (Line(line_id="1", amount_minor=550, category="spa"), Line(line_id="2", amount_minor=450))
        assert points(spec(BASE, double), bought(1000, lines=lines)) == 15


class TestLimits:
    def test_a_cap_reduces_and_is_counted(self):
        rule = msgspec.structs.replace(BASE, caps=(Cap(per=CapPeriod.DAY, points=25),))
        earning = earn(spec(rule), bought(1000), Member(counts={("rule.base.points.day", "2026-06-05"): 20}))
        assert earning.points == {"points": 5}
        assert [(each.counter, each.amount) for each in earning.counts] == [(("rule.base.points.day", "2026-06-05"), 5)]
        step = earning.explanation.steps[0].steps[1]
        assert (step.kind, step.points, step.inputs["used"]) == (StepKind.CAP, -5, 20)

    def test_times(self):
        rule = EarningRule(name="r", fixed=5, caps=(Cap(per=CapPeriod.MONTH, times=1),))
        earning = earn(spec(rule), bought(100))
        assert [(each.counter, each.amount) for each in earning.counts] == [(("rule.r.times.month", "2026-06"), 1)]
        assert points(spec(rule), bought(100), Member(counts={("rule.r.times.month", "2026-06"): 1})) == 0

    def test_a_cap_per_purchase_is_counted_nowhere(self):
        rule = EarningRule(name="double", multiplier_percent=200, caps=(Cap(per=CapPeriod.PURCHASE, points=3),))
        earning = earn(spec(BASE, rule), bought(1000))
        assert earning.points == {"points": 13}
        assert earning.counts == ()

    @pytest.mark.parametrize("per", [CapPeriod.PURCHASE, CapPeriod.DAY])
    def test_a_cap_of_a_multiplier_is_for_all_it_multiplies(self, per):
        double = EarningRule(name="double", multiplier_percent=200, caps=(Cap(per=per, points=15),))
        more = EarningRule(name="more", rate=RateSpec(points=1, per_minor=100))
        earning = earn(spec(BASE, more, double), bought(1000))
        assert earning.points == {"points": 35}
        assert [each.amount for each in earning.counts] == ([15] if per is CapPeriod.DAY else [])

    def test_a_cap_of_points_is_pro_rata(self):
        told = spec(
            EarningRule(name="a", fixed=30),
            EarningRule(name="b", fixed=10),
            points=(PointsSpec(name="points", caps=(Cap(per=CapPeriod.PURCHASE, points=20),)),),
        )
        earning = earn(told, bought(100))
        assert [(share.rule, share.points) for share in earning.shares] == [("a", 15), ("b", 5)]

    @pytest.mark.parametrize(("when_short", "expected"), [(WhenShort.PARTIAL, 4), (WhenShort.NOTHING, 0)])
    def test_a_budget(self, when_short, expected):
        told = spec(
            EarningRule(name="a", fixed=30, budget="b"),
            budgets=(BudgetSpec(name="b", points=100, when_short=when_short),),
        )
        earning = earn(told, bought(100), budgets={("budget.b.points.ever", ""): 96})
        assert earning.points.get("points", 0) == expected
        assert [each.amount for each in earning.budget_counts] == ([4] if expected else [])

    def test_a_budget_in_money(self):
        told = spec(
            EarningRule(name="a", fixed=30, budget="b"),
            points=(PointsSpec(name="points", worth=WorthSpec(points=3, minor=2)),),
            budgets=(BudgetSpec(name="b", money_minor=15),),
        )
        earning = earn(told, bought(100))
        assert earning.points == {"points": 22}
        assert [each.amount for each in earning.budget_counts] == [15]


class TestLots:
    def test_each_terms_have_their_lot(self):
        told = spec(
            BASE,
            EarningRule(name="promo", fixed=5, expiry=RollingExpiry(after=Span(days=30))),
            EarningRule(name="stay", fixed=7, pending=PendingSpec(until="stay_completed")),
        )
        earning = earn(told, bought(1000))
        assert [(lot.points, lot.terms.expires_on, lot.terms.awaits) for lot in earning.lots] == [
            (10, None, None),
            (5, date(2026, 7, 5), None),
            (7, None, "stay_completed"),
        ]

    def test_a_bonus_lies_with_its_award(self):
        told = spec(
            msgspec.structs.replace(BASE, expiry=RollingExpiry(after=Span(days=30))),
            EarningRule(name="double", multiplier_percent=200),
        )
        assert [lot.points for lot in earn(told, bought(1000)).lots] == [20]


class TestBadInput:
    @pytest.mark.parametrize(
        "changes",
        [
            {"amount_minor": 1.5},
            {"amount_minor": True},
            {"amount_minor": AMOUNT_MAX + 1},
            {"occurred_at": datetime(2026, 1, 1)},  # noqa: DTZ001 - that is what is refused.
            {"lines": (Line(line_id="a", amount_minor=1), Line(line_id="a", amount_minor=1))},
            {"lines": (Line(line_id="a", amount_minor=1, quantity=-1),)},
            {"lines": (Line(line_id="a", amount_minor=0.5),)},
        ],
    )
    def test_is_refused(self, changes):
        with pytest.raises(InvalidPurchase) as caught:
            earn(spec(BASE), bought(**{"amount_minor": 100} | changes))
        assert caught.value.details == {"purchase_id": "p"}

    def test_more_than_a_ledger_holds_is_too_large(self):
        assert AMOUNT_MAX == LEDGER_MAX
        rule = EarningRule(name="a", rate=RateSpec(points=1000, per_minor=1))
        earning = earn(spec(rule), bought(AMOUNT_MAX))
        assert (earning.outcome, earning.points, earning.lots) == (Outcome.TOO_LARGE, {}, ())

    def test_unknown_names_are_refused(self):
        for rule in (EarningRule(name="a", fixed=1, points="coins"), EarningRule(name="a", fixed=1, budget="b")):
            with pytest.raises(UnknownProgrammePart):
                compile_programme("club", 1, spec(rule))
