"""Points in a pool wait, slide, expire and are taken back like any others, and somebody is told."""

from datetime import timedelta

import pytest

from comity.kernel.events import Event
from comity.ledger import api as ledger
from comity.programme import api
from comity.programme.pools import PoolSpending, PoolWish
from comity.programme.types import (
    POINTS_AVAILABLE,
    POINTS_EARNED,
    POINTS_EXPIRED,
    POINTS_EXPIRING,
    POINTS_TAKEN_BACK,
)
from comity.programme.wishes import POINTS_MOVED
from tests.db.programme.test_api import ADA, BOB, check_books, published
from tests.db.programme.test_following import BASE, BOUGHT, Till, club

HALF = {"contribution_percent": 50}
ALL = {"contribution_percent": 100}


class Household(Till):
    """Ada, who buys, and Bob are in a pool."""

    def __init__(self, tx, **changes):
        super().__init__(tx, club(BASE, **changes))
        api.enrol(tx, profile_ids=[BOB], programme=self.programme, now=BOUGHT)
        wish = PoolWish(profile_id=ADA, programme="club", idempotency_key="open")
        self.pool_id = api.open_pool(tx, wish=wish, programme=self.programme, now=BOUGHT).pool_id
        self.change(api.join_pool, BOB)

    def change(self, verb, person, now=BOUGHT):
        programmes = {"club": self.programme}
        return verb(self.tx, pool_id=self.pool_id, profile_id=person, programmes=programmes, now=now)

    def listen(self, now):
        super().listen(now)
        events = [
            Event(event_id=1, xid=1, kind=POINTS_EARNED, payload=each, occurred_at=now)
            for each in published(self.tx, POINTS_EARNED)
        ]
        api.collect_in_pools(self.tx, events=events, programmes=[self.programme], now=now)
        check_books(self.tx)

    def draw(self, person, points, now=BOUGHT):
        wish = PoolSpending(
            pool_id=self.pool_id, profile_id=person, points=points, idempotency_key=f"{person}{points}{now}"
        )
        return api.redeem_from_pool(self.tx, wish=wish, programmes={"club": self.programme}, now=now)

    def keep(self, days):
        now = BOUGHT + timedelta(days=days)
        api.release_points(self.tx, programme=self.programme, now=now)
        while api.expire_points(self.tx, programme=self.programme, now=now):
            pass
        while api.warn_of_expiry(self.tx, programme=self.programme, now=now):
            pass
        while api.lapse_points(self.tx, programme=self.programme, now=now):
            pass
        check_books(self.tx)

    @property
    def pooled(self):
        """What the pool can spend, and what is pending in it."""
        [found] = api.list_pools(self.tx, profile_id=BOB, programme="club", now=BOUGHT)
        return found.spendable, found.pending

    def stands(self):
        return self.member.points, api.get_member(self.tx, profile_id=BOB, programme="club").points, *self.pooled

    def told(self, kind):
        return [(each["profile_id"], each["points"], each.get("pool_id")) for each in published(self.tx, kind)]


class TestReturns:
    @pytest.mark.parametrize(
        ("policy", "after", "later"),
        [
            # Nothing is pending, so all that is there stays where it is.
            ("only_pending", (50, 0, 10, 0), 100),
            ("within_balance", (0, 0, 0, 0), 50),
            ("allow_negative", (-40, 0, 0, 0), 10),
        ],
    )
    def test_of_what_another_member_has_spent(self, tx, policy, after, later):
        """Of Ada's 100 points 50 went to the pool, where Bob spent 40 of them: she answers for what is gone."""
        home = Household(tx, pools=HALF, returns={"policy": policy})
        home.sell(1, 10_000)
        home.draw(BOB, 40)
        home.take_back(1, 10_000)
        assert home.stands() == after
        home.sell(2, 10_000)
        assert home.stands()[0] == later

    def test_takes_what_is_pending_from_the_pool_too(self, tx):
        home = Household(
            tx, pools=HALF, points=[{"name": "p", "pending": {"days": 5}}], returns={"policy": "only_pending"}
        )
        home.sell(1, 10_000)
        assert (home.member.pending, home.pooled) == (50, (0, 50))
        home.take_back(1, 8_000)
        assert (home.member.pending, home.pooled) == (0, (0, 20))
        [told] = published(tx, POINTS_TAKEN_BACK)
        assert (told["points"], told["shortfall"]) == (80, 0)

    def test_of_somebody_who_left_without_their_points(self, tx):
        home = Household(tx, pools=HALF | {"leaving": "stays"}, returns={"policy": "within_balance"})
        home.sell(1, 10_000)
        home.change(api.leave_pool, ADA)
        assert home.stands() == (50, 0, 50, 0)
        home.take_back(1, 6_000)
        assert home.stands() == (0, 0, 40, 0)

    def test_go_where_the_pool_went_once_it_has_ended(self, tx):
        home = Household(tx, pools=HALF | {"leaving": "stays"}, returns={"policy": "allow_negative"})
        home.sell(1, 10_000)
        for person in (ADA, BOB):
            home.change(api.leave_pool, person)
        home.take_back(1, 6_000)
        assert home.member.points == -10
        assert api.get_member(tx, profile_id=BOB, programme="club").points == 50


class TestDays:
    def test_what_comes_due_in_a_pool_is_told(self, tx):
        home = Household(tx, pools=HALF, points=[{"name": "p", "pending": {"days": 5}}])
        home.sell(1, 10_000)
        assert home.stands() == (0, 0, 0, 50)
        home.keep(4)
        assert home.told(POINTS_AVAILABLE) == []
        for _ in range(2):
            home.keep(5)
        assert sorted(home.told(POINTS_AVAILABLE), key=str) == [(str(ADA), 50, home.pool_id), (str(ADA), 50, None)]

    @pytest.mark.parametrize("pools", [HALF, ALL])
    def test_what_an_event_brings_and_takes_in_a_pool_is_told(self, tx, pools):
        percent = pools["contribution_percent"]
        home = Household(tx, pools=pools, points=[{"name": "p", "pending": {"until": "stay"}}])
        home.sell(1, 10_000)
        assert home.stands() == (0, 0, 0, percent)
        home.sell(1, 10_000, events={"stay": BOUGHT})
        assert home.stands() == (100 - percent, 0, percent, 0)
        assert (str(ADA), percent, home.pool_id) in home.told(POINTS_AVAILABLE)
        assert len(home.told(POINTS_AVAILABLE)) == 1 + (percent < 100)
        home.sell(1, 10_000, events={"stay": None}, now=BOUGHT + timedelta(hours=1))
        assert home.pooled == (0, percent)
        assert (str(ADA), -percent, home.pool_id) in home.told(POINTS_MOVED)

    def test_what_lapses_is_taken_from_the_pool(self, tx):
        pending = {"until": "stay", "at_most_days": 3}
        home = Household(tx, pools=ALL, points=[{"name": "p", "pending": pending}])
        home.sell(1, 10_000)
        home.keep(10)
        assert home.stands() == (0, 0, 0, 0)

    def test_warnings_and_expiry_are_told_to_who_is_in_it_longest(self, tx):
        points = [{"name": "p", "warn_days": [3], "expiry": {"kind": "rolling", "after": {"days": 10}}}]
        home = Household(tx, pools=HALF, points=points)
        home.sell(1, 10_000)
        home.draw(BOB, 20)
        for days in (6, 7, 8):
            home.keep(days)
        assert sorted(home.told(POINTS_EXPIRING), key=str) == [(str(ADA), 30, home.pool_id), (str(ADA), 50, None)]
        home.change(api.leave_pool, ADA)
        home.sell(2, 1_000, days=9)
        home.change(api.join_pool, ADA)
        home.keep(10)
        assert home.told(POINTS_EXPIRED) == [(str(ADA), 80, None)]

    def test_expiry_in_the_pool_is_told(self, tx):
        home = Household(tx, pools=ALL, points=[{"name": "p", "expiry": {"kind": "rolling", "after": {"days": 10}}}])
        home.sell(1, 10_000)
        home.keep(10)
        assert home.told(POINTS_EXPIRED) == [(str(ADA), 100, home.pool_id)]
        assert home.stands() == (0, 0, 0, 0)


class TestSliding:
    SLIDES = ({"name": "p", "expiry": {"kind": "sliding", "after": {"days": 10}, "activities": ["redeem"]}},)

    def expires(self, home):
        account_id = api.get_pool(home.tx, home.pool_id).account_id
        [lot] = ledger.list_holdings(home.tx, account_ids=[account_id])[account_id]
        return (lot.expires_on - BOUGHT.date()).days

    def test_activity_of_anybody_in_the_pool_keeps_its_points(self, tx):
        home = Household(tx, pools=HALF, points=self.SLIDES)
        home.sell(1, 10_000)
        home.draw(BOB, 1, now=BOUGHT + timedelta(days=8))
        home.keep(9)
        assert self.expires(home) == 18
        # It is one lot with what Ada has of it.
        [own] = ledger.list_holdings(tx, account_ids=[home.member.account_id])[home.member.account_id]
        assert (own.expires_on - BOUGHT.date()).days == 18
        home.spend(1, now=BOUGHT + timedelta(days=15))
        home.keep(16)
        assert self.expires(home) == 25
        home.keep(25)
        assert home.stands() == (0, 0, 0, 0)

    def test_activity_of_who_has_left_does_not(self, tx):
        home = Household(tx, pools=ALL | {"leaving": "stays"}, points=self.SLIDES)
        home.sell(1, 10_000)
        home.sell(2, 10_000)
        home.draw(ADA, 150)
        home.change(api.leave_pool, ADA)
        home.keep(1)
        home.sell(3, 10_000)
        home.spend(1, now=BOUGHT + timedelta(days=8))
        home.keep(9)
        assert self.expires(home) == 10

    def test_days_that_were_missed_know_what_the_pool_has_redeemed(self, tx):
        home = Household(tx, pools=ALL, points=self.SLIDES)
        home.sell(1, 10_000)
        home.draw(BOB, 1, now=BOUGHT + timedelta(days=4))
        tx.execute("update programme.member set last_redemption_at = %s", [BOUGHT + timedelta(days=30)])
        home.keep(31)
        [(day,)] = tx.execute("select effective_on from ledger.transfer where kind = 'expire'").fetchall()
        assert (day - BOUGHT.date()).days == 14
