"""Budgets that many share: never exceeded, given back by returns, and nobody loses by what others draw."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from comity.definitions.types import (
    BudgetSpec,
    Cap,
    CapPeriod,
    CorrectionPolicy,
    EarningRule,
    PointsSpec,
    ProgrammeSpec,
    RateSpec,
    WhenShort,
    WorthSpec,
)
from comity.programme.engine.compiling import compile_programme
from comity.programme.engine.correcting import plan_correction
from comity.programme.engine.facts import Purchase
from comity.programme.engine.replaying import Person, Version, replay, sum_draws

START = datetime(2026, 1, 1, 9, tzinfo=UTC)
LIMITS = {"budget.promo.points.month": 90, "budget.gift.money.ever": 60}


def compile_with(when_short, day_max=None):
    spec = ProgrammeSpec(
        title="Club",
        currency="EUR",
        timezone="Europe/Berlin",
        points=(
            PointsSpec(
                name="coins",
                worth=WorthSpec(points=3, minor=2),
                caps=() if day_max is None else (Cap(per=CapPeriod.DAY, points=day_max),),
            ),
        ),
        earning_rules=(
            EarningRule(name="base", rate=RateSpec(points=1, per_minor=100)),
            EarningRule(name="double", multiplier_percent=300, budget="promo"),
            EarningRule(name="gift", fixed=25, budget="gift", caps=(Cap(per=CapPeriod.DAY, times=1),)),
        ),
        budgets=(
            BudgetSpec(name="promo", points=90, per=CapPeriod.MONTH, when_short=when_short),
            BudgetSpec(name="gift", money_minor=60, when_short=when_short),
        ),
    )
    return (Version(rules=compile_programme("club", 1, spec), first_day=date(2026, 1, 1)),)


VERSIONS = {each: compile_with(each) for each in WhenShort}
CAPPED = {each: compile_with(each, day_max=50) for each in WhenShort}
PURCHASES = st.builds(
    lambda number, hours, amount, returned: Purchase(
        purchase_id=f"p{number}",
        occurred_at=START + timedelta(hours=hours),
        amount_minor=amount,
        currency="EUR",
        returned_minor={"": amount * returned // 4} if returned and amount > 0 else {},
    ),
    st.integers(0, 3),
    st.sampled_from([0, 1, 30, 1000]),
    st.integers(1, 60).map(lambda euros: euros * 100),
    st.sampled_from([0, 0, 1, 2, 4]),
)
NEWS = st.lists(
    st.tuples(st.sampled_from("abc"), PURCHASES | st.integers(0, 3).map("p{}".format)), min_size=1, max_size=14
)


class Shared:
    """What is known and booked of several members who share budgets."""

    def __init__(self, versions, policy):
        self.versions, self.policy = versions, policy
        self.known, self.booked = {key: {} for key in "abc"}, {key: {} for key in "abc"}
        self.used = Counter()

    def hear(self, member, news):
        key = news if isinstance(news, str) else news.purchase_id
        if isinstance(news, str):
            self.known[member].pop(key, None)
        else:
            self.known[member][key] = news
        correction = self.plan(member, {key})
        self.used.update(sum_draws(correction.booked.values(), is_net=True))
        self.used.subtract(sum_draws(self.booked[member].values(), is_net=True))
        self.booked[member] = dict(correction.booked)

    def plan(self, member, changed):
        return plan_correction(
            self.versions,
            Person(),
            list(self.known[member].values()),
            self.booked[member],
            changed=changed,
            policy=self.policy,
            today=date(2026, 5, 1),
            open_from=date(2026, 1, 2),
            budgets=self.used,
        )


@settings(max_examples=150, deadline=None)
@given(NEWS, st.sampled_from(CorrectionPolicy), st.sampled_from(WhenShort), st.sampled_from([VERSIONS, CAPPED]))
def test_holds_whatever_comes_and_a_second_time_nothing_is_left_to_do(news, policy, when_short, versions):
    shared = Shared(versions[when_short], policy)
    for member, each in news:
        shared.hear(member, each)
        assert all(0 <= amount <= LIMITS[name] for (name, _), amount in shared.used.items())
        key = each if isinstance(each, str) else each.purchase_id
        assert shared.plan(member, {key}).deltas == ()
    assert +shared.used == +sum(
        (Counter(sum_draws(each.values(), is_net=True)) for each in shared.booked.values()), Counter()
    )


@settings(max_examples=60, deadline=None)
@given(NEWS, st.sampled_from(WhenShort))
def test_who_is_alone_has_what_the_replay_says(news, when_short):
    shared = Shared(VERSIONS[when_short], CorrectionPolicy.RE_DERIVE)
    for _, each in news:
        shared.hear("a", each)
    wanted = replay(shared.versions, Person(), shared.known["a"].values())
    assert shared.booked["a"] == wanted.booked


def buy(number, euros, returned=0, hours=0):
    return Purchase(
        purchase_id=f"p{number}",
        occurred_at=START + timedelta(hours=hours + number),
        amount_minor=euros * 100,
        currency="EUR",
        returned_minor={"": returned * 100} if returned else {},
    )


def test_what_returns_give_back_is_there_for_others_and_nobody_loses_by_it():
    shared = Shared(VERSIONS[WhenShort.PARTIAL], CorrectionPolicy.RE_DERIVE)
    month = ("budget.promo.points.month", "2026-01")
    shared.hear("a", buy(1, 30))
    shared.hear("b", buy(2, 30))
    assert shared.used[month] == 90  # 60 for the first, 30 of 60 for the second.
    shared.hear("a", buy(1, 30, returned=15))
    assert shared.used[month] == 60
    shared.hear("c", buy(3, 30))
    assert shared.used[month] == 90
    assert shared.plan("a", {"p1"}).deltas == ()  # Others took the rest: its own part is still its own.
    shared.hear("a", buy(1, 30))
    assert shared.used[month] == 90  # The return was a mistake, but what it gave back is gone.
    shared.hear("a", "p1")
    assert shared.used[month] == 60


def test_a_cap_of_the_points_comes_before_the_budget_so_that_what_was_drawn_is_drawn_again():
    spec = ProgrammeSpec(
        title="Club",
        currency="EUR",
        timezone="UTC",
        points=(
            PointsSpec(name="coins", worth=WorthSpec(points=3, minor=2), caps=(Cap(per=CapPeriod.DAY, points=123),)),
        ),
        earning_rules=(
            EarningRule(name="base", rate=RateSpec(points=1, per_minor=100)),
            EarningRule(name="gift", fixed=40, budget="promo"),
        ),
        budgets=(BudgetSpec(name="promo", money_minor=40, per=CapPeriod.MONTH),),
    )
    versions = (Version(rules=compile_programme("club", 1, spec), first_day=date(2026, 1, 1)),)
    shared = Shared(versions, CorrectionPolicy.RE_DERIVE)
    month = ("budget.promo.money.month", "2026-01")
    shared.hear("a", buy(1, 120))
    assert shared.used[month] == 21  # 31 of 40 points within the cap, at 2 for 3.
    shared.hear("b", buy(2, 120))
    assert shared.used[month] == 40  # 28 points were left to give; the rule without a budget gives the other 95.
    assert {lot.points for key in "ab" for booked in shared.booked[key].values() for lot in booked.lots} == {123}
    shared.hear("c", buy(3, 120))
    assert [lot.points for lot in shared.booked["c"]["p3"].lots] == [120]  # A budget that is spent costs nobody points.
    shared.hear("a", buy(4, 120, hours=48))
    assert shared.used[month] == 40
