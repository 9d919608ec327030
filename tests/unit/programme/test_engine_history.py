"""Returns, replays and corrections, case by case; the cases of other engines by their names."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from comity.definitions.types import (
    CorrectionPolicy,
    EarningRule,
    LadderSpec,
    PointsSpec,
    ProgrammeSpec,
    RateSpec,
    ReturnPolicy,
    RollingExpiry,
    RollingWindow,
    Span,
    TierLevel,
)
from comity.programme.engine.compiling import compile_programme
from comity.programme.engine.correcting import Cause, plan_correction
from comity.programme.engine.evaluating import evaluate
from comity.programme.engine.facts import Line, Member, Purchase
from comity.programme.engine.replaying import NoVersion, Person, Version, replay
from comity.programme.engine.returning import LotRest, count_returned, settle, take_back
from comity.programme.engine.tiers import Qualifying, find_standing

LADDER = LadderSpec(
    name="status",
    levels=(TierLevel(name="Blue", points_from=0), TierLevel(name="Gold", points_from=100)),
    window=RollingWindow(length=Span(days=30)),
)
SPEC = ProgrammeSpec(
    title="Club",
    currency="EUR",
    points=(PointsSpec(name="points", expiry=RollingExpiry(after=Span(months=12))),),
    earning_rules=(
        EarningRule(name="base", rate=RateSpec(points=1, per_minor=100)),
        EarningRule(name="double", multiplier_percent=200, tiers=("Gold",)),
        EarningRule(name="welcome", fixed=5, first_purchase=True),
    ),
    ladders=(LADDER,),
)
RULES = compile_programme("club", 1, SPEC)
VERSIONS = (Version(rules=RULES, first_day=date(2026, 1, 1)),)
JOINED = date(2026, 1, 1)


def bought(name, day, amount_minor, **changes):
    moment = datetime.combine(date.fromisoformat(day), datetime.min.time(), tzinfo=UTC) + timedelta(hours=9)
    facts = {"purchase_id": name, "occurred_at": moment, "currency": "EUR", "amount_minor": amount_minor}
    return Purchase(**(facts | changes))


def points(booked):
    return {key: sum(lot.points for lot in each.lots) for key, each in booked.items()}


class TestReplay:
    def test_each_purchase_meets_the_tier_of_its_day(self):
        history = [
            bought("a", "2026-01-02", 10_000),
            bought("b", "2026-01-03", 1_000),
            bought("c", "2026-02-05", 1_000),
        ]
        going = replay(VERSIONS, Person(enrolled_on=JOINED), history)
        assert points(going.booked) == {"a": 105, "b": 20, "c": 10}
        entries = [
            Qualifying(earned_on=each.business_on, points=sum(lot.points for lot in each.lots))
            for each in going.booked.values()
        ]
        for key, level in {"2026-01-02": "Gold", "2026-01-31": "Gold", "2026-02-01": "Blue"}.items():
            assert find_standing(LADDER, entries, begins_on=JOINED, on=date.fromisoformat(key)).level == level

    def test_what_is_refused_is_no_first_purchase(self):
        history = [
            bought("a", "2026-01-02", 10_000, currency="USD"),
            bought("b", "2026-01-03", -5),
            bought("c", "2026-01-04", 1_000),
            bought("d", "2026-01-05", 1_000),
        ]
        assert points(replay(VERSIONS, Person(), history).booked) == {"a": 0, "b": 0, "c": 15, "d": 10}

    def test_points_of_other_sources_lift_too(self):
        person = Person(other_points={"points": (Qualifying(earned_on=date(2026, 1, 2), points=100),)})
        going = replay(VERSIONS, person, [bought("a", "2026-01-02", 1_000), bought("b", "2026-02-01", 1_000)])
        assert points(going.booked) == {"a": 25, "b": 10}

    def test_a_new_version_places_everybody_on_its_ladders(self):
        easy = msgspec.structs.replace(
            LADDER, levels=(TierLevel(name="Blue", points_from=0), TierLevel(name="Gold", points_from=10))
        )
        newer = compile_programme("club", 2, msgspec.structs.replace(SPEC, ladders=(easy,)))
        versions = (*VERSIONS, Version(rules=newer, first_day=date(2026, 1, 10)))
        history = [bought("a", "2026-01-02", 1_000), bought("b", "2026-01-10", 1_000)]
        going = replay(versions, Person(enrolled_on=JOINED), history)
        assert points(going.booked) == {"a": 15, "b": 20}
        assert [going.earnings[key].version for key in "ab"] == [1, 2]

    def test_explains_when_asked(self):
        history = [bought("a", "2026-01-02", 1_000)]
        assert replay(VERSIONS, Person(), history, explains=True).earnings["a"].explanation.steps
        assert not replay(VERSIONS, Person(), history).earnings["a"].explanation.steps

    def test_needs_a_version(self):
        with pytest.raises(NoVersion):
            replay((), Person(), [bought("a", "2026-01-02", 1_000)])


def correct(purchases, booked, changed, policy, **options):
    facts = {"today": date(2026, 3, 1), "open_from": date(2026, 2, 1)} | options
    person = Person(enrolled_on=JOINED)
    return plan_correction(VERSIONS, person, purchases, booked, changed=changed, policy=policy, **facts)


class TestLatePurchase:
    """A purchase of 2 January is reported after those of 3 January and 5 February."""

    ON_TIME = (bought("b", "2026-01-03", 1_000), bought("c", "2026-02-02", 9_000))
    LATE = bought("a", "2026-01-02", 10_000)

    def plan(self, policy):
        booked = replay(VERSIONS, Person(enrolled_on=JOINED), self.ON_TIME).booked
        assert points(booked) == {"b": 15, "c": 90}
        found = correct([self.LATE, *self.ON_TIME], booked, {"a"}, policy)
        deltas = [(each.purchase_id, each.points, each.effective_on.isoformat(), each.cause) for each in found.deltas]
        return deltas, points(found.booked)

    def test_re_derive_is_as_if_it_had_come_in_time(self):
        deltas, booked = self.plan(CorrectionPolicy.RE_DERIVE)
        assert booked == {"a": 105, "b": 20, "c": 90}
        assert deltas == [
            ("a", 105, "2026-01-02", Cause.LATE),
            ("b", 5, "2026-01-03", Cause.CONSEQUENCE),
        ]

    def test_freeze_leaves_what_is_closed_and_books_in_the_open_period(self):
        deltas, booked = self.plan(CorrectionPolicy.FREEZE_CLOSED_PERIOD)
        assert booked == {"a": 105, "b": 15, "c": 90}
        assert deltas == [("a", 105, "2026-02-01", Cause.LATE)]

    def test_adjust_forward_is_the_purchase_alone_as_of_today(self):
        deltas, booked = self.plan(CorrectionPolicy.ADJUST_FORWARD)
        assert booked == {"a": 100, "b": 15, "c": 90}
        assert deltas == [("a", 100, "2026-03-01", Cause.LATE)]


class TestCorrectedPurchase:
    FIRST = bought("a", "2026-01-02", 10_000)

    def plan(self, policy, now):
        booked = replay(VERSIONS, Person(enrolled_on=JOINED), [self.FIRST]).booked
        return correct([now] if now else [], booked, {"a"}, policy).deltas

    def test_a_smaller_amount_is_taken_from_the_lot_it_made(self):
        [delta] = self.plan(CorrectionPolicy.RE_DERIVE, msgspec.structs.replace(self.FIRST, amount_minor=4_000))
        assert (delta.points, delta.terms.expires_on, delta.cause) == (-60, date(2027, 1, 2), Cause.CORRECTED)

    def test_another_day_is_another_lot(self):
        moved = msgspec.structs.replace(self.FIRST, occurred_at=self.FIRST.occurred_at + timedelta(days=1))
        deltas = self.plan(CorrectionPolicy.RE_DERIVE, moved)
        assert [(each.points, each.effective_on.day, each.terms.expires_on.day) for each in deltas] == [
            (-105, 2, 2),
            (105, 3, 3),
        ]

    @pytest.mark.parametrize("policy", list(CorrectionPolicy))
    def test_a_cancelled_one_leaves_nothing(self, policy):
        [delta] = self.plan(policy, None)
        assert (delta.points, delta.cause) == (-105, Cause.CANCELLED)

    def test_what_is_more_expires_as_of_today_when_adjusted_forward(self):
        [delta] = self.plan(CorrectionPolicy.ADJUST_FORWARD, msgspec.structs.replace(self.FIRST, amount_minor=20_000))
        assert (delta.points, delta.terms.expires_on) == (100, date(2027, 3, 1))


class TestRefundsElsewhere:
    """What went wrong in other engines, under the numbers of their reports."""

    EARNING = evaluate(
        bought(
            "a",
            "2026-01-02",
            10_000,
            lines=(
                Line(line_id="1", amount_minor=3_333),
                Line(line_id="2", amount_minor=3_333),
                Line(line_id="3", amount_minor=3_334),
            ),
        ),
        Member(purchase_count=1),
        RULES,
    )

    def taken(self, before, now, taken_by_lot=(0,)):
        return take_back(self.EARNING, returned_before=before, returned_now=now, taken_by_lot=taken_by_lot)

    def test_odoo_257854_a_refund_takes_the_points_back(self):
        assert self.taken({}, self.EARNING.line_minor) == (100,)

    def test_odoo_212922_a_refund_takes_them_back_once(self):
        assert self.taken(self.EARNING.line_minor, self.EARNING.line_minor, (100,)) == (0,)

    def test_odoo_221928_a_partial_refund_takes_its_part(self):
        assert self.taken({}, {"1": 3_333}) == (33,)
        assert self.taken({"1": 3_333}, {"1": 3_333, "2": 3_333, "3": 3_334}, (33,)) == (67,)

    def test_what_cost_nothing_comes_back_with_the_whole(self):
        told = ProgrammeSpec(title="C", currency="EUR", earning_rules=(EarningRule(name="r", per_item=10),))
        lines = (Line(line_id="gift", amount_minor=0), Line(line_id="paid", amount_minor=100))
        earning = evaluate(bought("b", "2026-01-02", 100, lines=lines), Member(), compile_programme("club", 1, told))
        assert earning.points == {"points": 20}
        assert count_returned(earning, {"paid": 50}).points == 10
        assert count_returned(earning, {"paid": 100}).points == 20

    def test_points_come_from_the_lots_of_the_lines_that_come_back(self):
        rate = RateSpec(points=1, per_minor=10)
        told = ProgrammeSpec(
            title="C",
            currency="EUR",
            earning_rules=(
                EarningRule(name="room", rate=rate, categories=("room",)),
                EarningRule(name="spa", rate=rate, categories=("spa",), expiry=RollingExpiry(after=Span(days=30))),
            ),
        )
        lines = (
            Line(line_id="1", amount_minor=100, category="room"),
            Line(line_id="2", amount_minor=100, category="spa"),
        )
        earning = evaluate(bought("b", "2026-01-02", 200, lines=lines), Member(), compile_programme("club", 1, told))
        first = take_back(earning, returned_before={}, returned_now={"2": 60}, taken_by_lot=(0, 0))
        assert first == (0, 6)
        now = {"1": 100, "2": 100}
        assert take_back(earning, returned_before={"2": 60}, returned_now=now, taken_by_lot=first) == (10, 4)

    def test_odoo_177312_lines_below_zero_earn_nothing(self):
        lines = (Line(line_id="1", amount_minor=1_000), Line(line_id="2", amount_minor=-1_000))
        assert evaluate(bought("b", "2026-01-02", 0, lines=lines), Member(), RULES).points == {}

    def test_erpnext_return_takes_points_back_at_the_rate_they_were_earned(self):
        """Not at the tier of the day of the return."""
        gold = evaluate(bought("b", "2026-01-02", 1_000), Member(tiers={"status": "Gold"}, purchase_count=1), RULES)
        assert count_returned(gold, {"": 500}).by_lot == (10,)

    @pytest.mark.parametrize(
        ("policy", "expected"),
        [
            (ReturnPolicy.ONLY_PENDING, ((30, 0), 0, 0, 50)),
            (ReturnPolicy.WITHIN_BALANCE, ((30, 10), 15, 0, 25)),
            (ReturnPolicy.ALLOW_NEGATIVE, ((30, 10), 15, 25, 0)),
        ],
    )
    def test_spent_points_are_met_by_policy(self, policy, expected):
        rests = [LotRest(points=30, is_pending=True), LotRest(points=10, is_pending=False)]
        found = settle([30, 50], rests, policy=policy, balance=15)
        assert (found.from_lots, found.from_balance, found.owed, found.forgiven) == expected
