"""Late, corrected and cancelled purchases: by policy, with deltas alone, and the same end whatever came first."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from comity.definitions.types import (
    BudgetSpec,
    Cap,
    CapPeriod,
    CorrectionPolicy,
    EarningRule,
    LadderSpec,
    PointsSpec,
    ProgrammeSpec,
    RateSpec,
    RollingExpiry,
    RollingWindow,
    Span,
    TierLevel,
)
from comity.programme.engine.compiling import compile_programme
from comity.programme.engine.correcting import Cause, plan_correction
from comity.programme.engine.facts import Member, Purchase
from comity.programme.engine.replaying import (
    Person,
    Version,
    evaluate_batch,
    pick_version,
    replay,
    sort_purchases,
)
from comity.programme.engine.tiers import Qualifying

FEW = settings(max_examples=60, deadline=None)
START = datetime(2026, 1, 1, 9, tzinfo=UTC)
SPEC = ProgrammeSpec(
    title="Club",
    currency="EUR",
    timezone="Europe/Berlin",
    points=(PointsSpec(name="coins", expiry=RollingExpiry(after=Span(months=12))),),
    earning_rules=(
        EarningRule(name="base", rate=RateSpec(points=1, per_minor=10), caps=(Cap(per=CapPeriod.MONTH, points=900),)),
        EarningRule(name="gold", multiplier_percent=150, tiers=("Gold",)),
        EarningRule(name="welcome", fixed=50, first_purchase=True, expiry=RollingExpiry(after=Span(days=30))),
        EarningRule(name="promo", fixed=20, budget="promo"),
    ),
    budgets=(BudgetSpec(name="promo", points=90),),
    ladders=(
        LadderSpec(
            name="status",
            levels=(TierLevel(name="Blue", points_from=0), TierLevel(name="Gold", points_from=500)),
            window=RollingWindow(length=Span(days=40)),
        ),
    ),
)
NEWER = msgspec.structs.replace(SPEC, earning_rules=(*SPEC.earning_rules, EarningRule(name="more", fixed=3)))
VERSIONS = (
    Version(rules=compile_programme("club", 1, SPEC), first_day=date(2026, 1, 1)),
    Version(rules=compile_programme("club", 2, NEWER), first_day=date(2026, 2, 15)),
)
PERSON = Person(
    enrolled_on=date(2025, 12, 1), other_points={"coins": (Qualifying(earned_on=date(2026, 1, 20), points=200),)}
)
PURCHASES = st.builds(
    lambda number, minutes, amount, returned: Purchase(
        purchase_id=f"p{number}",
        occurred_at=START + timedelta(minutes=minutes),
        amount_minor=amount,
        currency="EUR",
        returned_minor={"": amount * returned // 4} if returned and amount > 0 else {},
    ),
    st.integers(0, 7),
    st.integers(0, 90 * 24 * 60),
    st.integers(-10, 6000),
    st.sampled_from([0, 0, 0, 1, 4]),
)
NEWS = st.lists(st.one_of(PURCHASES, st.integers(0, 7).map("p{}".format)), min_size=1, max_size=10)


class Books:
    """What is known and what is booked, after each piece of news."""

    def __init__(self, policy, *, open_from=date(2026, 2, 1), today=date(2026, 5, 1)):
        self.policy, self.open_from, self.today = policy, open_from, today
        self.known, self.booked, self.budgets = {}, {}, Counter()
        self.lots = Counter()
        self.deltas = []

    def hear(self, news):
        key = news if isinstance(news, str) else news.purchase_id
        if isinstance(news, str):
            self.known.pop(key, None)
        else:
            self.known[key] = news
        correction = self.plan({key})
        for each in correction.deltas:
            assert each.points
            self.lots[each.purchase_id, each.currency, each.terms] += each.points
            assert self.lots[each.purchase_id, each.currency, each.terms] >= 0
        before, after = self.draws(self.booked), self.draws(correction.booked)
        self.budgets.update(after)
        self.budgets.subtract(before)
        self.booked = dict(correction.booked)
        self.deltas.append(correction.deltas)
        return correction

    def plan(self, changed):
        return plan_correction(
            VERSIONS,
            PERSON,
            list(self.known.values()),
            self.booked,
            changed=changed,
            policy=self.policy,
            today=self.today,
            open_from=self.open_from,
            budgets=self.budgets,
        )

    @staticmethod
    def draws(booked):
        found = Counter()
        for each in booked.values():
            found.update({draw.counter: draw.net for draw in each.draws})
        return found


def as_lots(booked):
    found = Counter()
    for key, each in booked.items():
        for lot in each.lots:
            found[key, lot.currency, lot.terms] += lot.points
    return +found


class TestReDerive:
    @FEW
    @given(NEWS)
    def test_ends_as_if_everything_had_come_in_time(self, news):
        books = Books(CorrectionPolicy.RE_DERIVE)
        for each in news:
            books.hear(each)
        in_time = replay(VERSIONS, PERSON, books.known.values())
        assert as_lots(books.booked) == as_lots(in_time.booked)
        assert +books.budgets == +Books.draws(in_time.booked)
        assert +books.lots == as_lots(in_time.booked)

    @FEW
    @given(NEWS)
    def test_a_second_plan_is_empty(self, news):
        for policy in CorrectionPolicy:
            books = Books(policy)
            for each in news:
                key = each if isinstance(each, str) else each.purchase_id
                books.hear(each)
                assert books.plan({key}).deltas == ()

    @FEW
    @given(st.lists(PURCHASES, max_size=8, unique_by=lambda each: each.purchase_id), st.randoms(use_true_random=False))
    def test_the_order_of_arrival_changes_nothing(self, purchases, chance):
        first, second = Books(CorrectionPolicy.RE_DERIVE), Books(CorrectionPolicy.RE_DERIVE)
        shuffled = list(purchases)
        chance.shuffle(shuffled)
        for one, other in zip(purchases, shuffled, strict=True):
            first.hear(one)
            second.hear(other)
        assert as_lots(first.booked) == as_lots(second.booked)


class TestFreeze:
    @FEW
    @given(NEWS)
    def test_closed_periods_keep_what_they_have(self, news):
        books = Books(CorrectionPolicy.FREEZE_CLOSED_PERIOD)
        for each in news:
            before = as_lots(books.booked)
            key = each if isinstance(each, str) else each.purchase_id
            days = {name: booked.business_on for name, booked in books.booked.items()}
            correction = books.hear(each)
            for delta in correction.deltas:
                assert delta.effective_on >= books.open_from
                assert delta.purchase_id == key or days[delta.purchase_id] >= books.open_from
            for (name, currency, terms), points in before.items():
                if name != key and days[name] < books.open_from:
                    assert as_lots(books.booked)[name, currency, terms] == points


class TestAdjustForward:
    @FEW
    @given(NEWS)
    def test_touches_the_purchase_alone_as_of_today(self, news):
        books = Books(CorrectionPolicy.ADJUST_FORWARD)
        for each in news:
            key = each if isinstance(each, str) else each.purchase_id
            correction = books.hear(each)
            assert {delta.purchase_id for delta in correction.deltas} <= {key}
            assert {delta.effective_on for delta in correction.deltas} <= {books.today}
            assert all(delta.cause is not Cause.CONSEQUENCE for delta in correction.deltas)
        caps = Counter()
        for booked in books.booked.values():
            caps.update({count.counter: count.amount for count in booked.counts})
        assert all(amount <= 900 for (name, _), amount in caps.items() if name == "rule.base.points.month")
        assert +books.lots == as_lots(books.booked)


class TestBatch:
    @FEW
    @given(
        st.lists(st.tuples(st.sampled_from("ab"), PURCHASES), max_size=8, unique_by=lambda each: each[1].purchase_id)
    )
    def test_is_one_by_one_in_the_order_of_time(self, purchases):
        rules = VERSIONS[0].rules
        members = {key: Member(tiers={"status": "Gold"}) for key in "ab"}
        found = evaluate_batch(rules, purchases, members)
        assert [each.purchase_id for each in found] == [each.purchase_id for _, each in purchases]
        turned = evaluate_batch(rules, purchases[::-1], members, explains=False)[::-1]
        assert [each.points for each in turned] == [each.points for each in found]
        assert sum(count.amount for each in found for count in each.budget_counts) <= 90

    def test_versions_are_picked_by_day(self):
        assert pick_version(VERSIONS, date(2025, 1, 1)).version == 1
        assert pick_version(VERSIONS, date(2026, 2, 14)).version == 1
        assert pick_version(VERSIONS, date(2026, 2, 15)).version == 2
        assert sort_purchases([]) == []
