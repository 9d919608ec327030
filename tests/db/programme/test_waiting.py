"""Points that wait for an event: it comes, comes late, comes twice, is taken back, or does not come at all."""

from datetime import date, timedelta

import pytest

from comity.ledger import api as ledger
from comity.programme import api
from comity.programme.simulating_types import History, Trial
from comity.programme.store_budgets import list_drawn
from comity.programme.types import POINTS_AVAILABLE, POINTS_TAKEN_BACK, EarnOutcome
from comity.programme.wishes import POINTS_MOVED
from tests.db.programme.test_api import check_books, published
from tests.db.programme.test_explaining import put_in_force
from tests.db.programme.test_following import BASE, BOUGHT, Till, club

STAY = {"until": "stay_completed", "at_most_days": 100}
TOMORROW = BOUGHT + timedelta(days=1)
TOO_LATE = BOUGHT + timedelta(days=100)


class Desk(Till):
    """Sells stays of which a record says later that they were completed, or not."""

    def __init__(self, tx, programme):
        """Start with nothing sold."""
        super().__init__(tx, programme)
        self.amounts, self.days = {}, {}

    def book(self, number, amount, days=0):
        self.amounts[number], self.days[number] = amount, days
        self.sell(number, amount, days=days, events={"stay_completed": None})

    def complete(self, number, *, on=TOMORROW, now=TOMORROW, system="till"):
        told = {"system": system, "events": {"stay_completed": on}, "days": self.days.get(number, 0), "now": now}
        self.sell(number, self.amounts[number], **told)

    def lapse(self, now):
        for _ in range(2):
            api.release_points(self.tx, programme=self.programme, now=now)
            assert api.lapse_points(self.tx, programme=self.programme, now=now) is None
        check_books(self.tx)

    @property
    def has(self):
        return self.member.points, self.member.pending

    def lots(self):
        return ledger.list_holdings(self.tx, account_ids=[self.member.account_id]).get(self.member.account_id, [])


@pytest.fixture
def desk(tx):
    return lambda pending=STAY, **changes: Desk(tx, club(BASE, points=[{"name": "p", "pending": pending}], **changes))


class TestEvent:
    def test_makes_the_same_lot_available(self, tx, desk):
        desk = desk()
        desk.book(1, 10_000)
        [waiting] = desk.lots()
        assert (desk.has, waiting.is_pending) == ((0, 100), True)
        desk.complete(1)
        desk.complete(1)
        [lot] = desk.lots()
        assert (desk.has, lot.lot_id, lot.is_pending) == ((100, 0), waiting.lot_id, False)
        assert [each["points"] for each in published(tx, POINTS_AVAILABLE)] == [100]
        assert published(tx, POINTS_TAKEN_BACK) == []
        desk.spend(100, now=TOMORROW)

    def test_is_counted_once_and_as_of_the_earliest_report(self, tx, desk):
        desk = desk({**STAY, "days": 10})
        desk.book(1, 10_000)
        desk.complete(1, on=BOUGHT + timedelta(days=5))
        desk.complete(1, on=BOUGHT + timedelta(days=3), system="front_desk")
        desk.complete(1, on=BOUGHT + timedelta(days=4), system="web")
        assert (desk.has, desk.lots()[0].available_from) == ((0, 100), date(2026, 3, 14))
        for days, points in ((12, 0), (13, 100)):
            api.release_points(tx, programme=desk.programme, now=BOUGHT + timedelta(days=days))
            assert desk.has == (points, 100 - points)

    def test_may_come_before_the_purchase_is_known_and_be_taken_back(self, tx, desk):
        desk = desk()
        desk.amounts[1] = 10_000
        desk.complete(1)
        assert desk.has == (100, 0)
        desk.spend(30, now=TOMORROW)
        desk.complete(1, on=None)
        assert desk.has == (0, 70)
        assert [(each["cause"], each["points"]) for each in published(tx, POINTS_MOVED)] == [("event_withdrawn", -70)]
        desk.complete(1)
        assert desk.has == (70, 0)

    def test_returns_and_corrections_before_and_after(self, desk):
        desk = desk()
        desk.book(1, 10_000)
        desk.take_back(1, 4_000)
        assert desk.has == (0, 60)
        desk.amounts[1] = 8_000
        desk.complete(1)
        assert (desk.has, len(desk.lots())) == ((40, 0), 1)
        desk.take_back(1, 1_000, name="b")
        assert desk.has == (30, 0)

    def test_who_cancels_before_has_nothing(self, desk):
        desk = desk()
        desk.book(1, 10_000)
        desk.sell(1, 10_000, is_cancelled=True)
        assert (desk.has, desk.outcome(1)) == ((0, 0), (0, EarnOutcome.CANCELLED))
        desk.sell(1, 10_000, is_cancelled=True, events={"stay_completed": TOMORROW})
        assert desk.has == (0, 0)

    def test_rules_that_wait_differently_keep_their_lots(self, tx):
        bonus = {"name": "bonus", "fixed": 50, "pending": {**STAY, "days": 10}}
        desk = Desk(tx, club({**BASE, "pending": STAY}, bonus, {"name": "now", "fixed": 7}))
        desk.book(1, 10_000)
        assert desk.has == (7, 150)
        desk.complete(1)
        lots = {each.rest: each.available_from for each in desk.lots()}
        assert (desk.has, lots) == ((107, 50), {7: None, 100: None, 50: date(2026, 3, 12)})
        assert published(tx, POINTS_TAKEN_BACK) == []


class TestNoEvent:
    @pytest.mark.parametrize("policy", ["within_balance", "allow_negative"])
    def test_cancels_the_points_and_no_others(self, tx, desk, policy):
        desk = desk(returns={"policy": policy})
        desk.book(1, 10_000)
        desk.book(2, 20_000)
        desk.complete(2)
        desk.lapse(TOO_LATE - timedelta(days=1))
        assert desk.has == (200, 100)
        desk.lapse(TOO_LATE)
        assert (desk.has, desk.outcome(1)) == ((200, 0), (0, EarnOutcome.LAPSED))
        assert [(each["points"], each["shortfall"]) for each in published(tx, POINTS_TAKEN_BACK)] == [(100, 0)]
        [line, *_] = ledger.list_entries(tx, account_id=desk.member.account_id)
        assert line.reason == "What the points waited for did not come: stay_completed."

    def test_what_comes_in_late_but_happened_in_time_counts(self, desk):
        desk = desk()
        desk.book(1, 10_000)
        desk.lapse(TOO_LATE)
        desk.complete(1, on=TOO_LATE, now=TOO_LATE)
        assert desk.has == (0, 0)
        desk.complete(1, on=TOO_LATE - timedelta(days=1), now=TOO_LATE)
        assert (desk.has, desk.outcome(1)) == ((100, 0), (100, EarnOutcome.EARNED))

    def test_gives_back_to_the_budget(self, tx):
        bonus = {"name": "bonus", "fixed": 50, "pending": STAY, "budget": "spring"}
        desk = Desk(tx, club(BASE, bonus, budgets=[{"name": "spring", "points": 70}]))
        desk.book(1, 10_000)
        assert list(list_drawn(tx, programme="club").values()) == [50]
        desk.lapse(TOO_LATE)
        assert (desk.has, list(list_drawn(tx, programme="club").values())) == ((100, 0), [0])

    def test_or_releases_them(self, tx, desk):
        desk = desk({**STAY, "otherwise": "release"})
        desk.book(1, 10_000)
        desk.lapse(TOO_LATE)
        assert (desk.has, desk.outcome(1)) == ((100, 0), (100, EarnOutcome.EARNED))
        assert [each["points"] for each in published(tx, POINTS_AVAILABLE)] == [100]


def test_adjusting_forward_lets_the_lots_that_are_there_go_on(desk):
    desk = desk(corrections="adjust_forward")
    desk.book(1, 10_000)
    desk.book(2, 5_000)
    desk.complete(1)
    assert desk.has == (100, 50)
    desk.amounts[1] = 12_000
    desk.complete(1)
    assert desk.has == (120, 50)  # More is new as of the day it is known, and the event has come.
    desk.lapse(TOO_LATE)
    assert (desk.has, desk.outcome(2)) == ((120, 0), (0, EarnOutcome.LAPSED))


def test_simulation_and_explanations_say_the_same(tx, desk):
    desk = desk()
    version = put_in_force(tx, desk.programme.spec, BOUGHT - timedelta(days=1))
    desk.programme = version
    for number in (1, 2, 3):
        desk.book(number, 10_000 * number, days=2 * number)
    desk.complete(1, on=BOUGHT + timedelta(days=9))
    desk.complete(2, on=BOUGHT + timedelta(days=300), now=TOO_LATE)
    now = TOO_LATE + timedelta(days=5)
    desk.lapse(now)
    assert [desk.outcome(number)[0] for number in (1, 2, 3)] == [100, 0, 300]
    trial = Trial(programme="club", running=None, proposed=version.spec, on=now.date())
    figures = api.simulate(tx, trial=trial, history=History(programme="club", until=trial.until)).proposed
    assert (figures.points_issued, figures.points_open) == (400, 400)
    told = {}
    for (purchase_id,) in tx.execute("select purchase_id from activity.purchase order by 1").fetchall():
        [found] = api.explain_purchase(tx, purchase_id=purchase_id, now=now)
        [lot] = [each for each in found.explanation.steps if each.kind == "lot"]
        told[found.points] = (found.is_exact, lot.inputs)
    assert told[100] == (True, {"available_from": date(2026, 3, 10)})
    assert told[0] == (True, {"awaits": "stay_completed", "lapsed_on": date(2026, 6, 13)})
    assert told[300] == (True, {"awaits": "stay_completed"})


class TestDaysToCome:
    def test_what_is_bought_ahead_gives_points_that_wait_for_its_day(self, tx):
        desk = Desk(tx, club(BASE))
        desk.sell(1, 10_000, days=30)
        assert desk.has == (0, 100)
        desk.sell(1, 8_000, days=30)
        desk.sell(2, 1_000, days=0)
        desk.sell(2, 3_000, days=40)
        assert desk.has == (0, 110)
        for days, has in ((29, (0, 110)), (30, (80, 30)), (40, (110, 0))):
            api.release_points(tx, programme=desk.programme, now=BOUGHT + timedelta(days=days))
            assert desk.has == has
            check_books(tx)
        desk.spend(110, now=BOUGHT + timedelta(days=40))
