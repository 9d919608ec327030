"""Members who collect in a pool: what goes there, who may spend it, and what comes back."""

from datetime import timedelta

import msgspec
import pytest

from comity.activity.types import ProfileMove
from comity.definitions.types import ProgrammeSpec
from comity.kernel.events import Event
from comity.programme import api
from comity.programme.pools import PoolRefused, PoolSpending, PoolWish, UnknownPool
from comity.programme.types import POINTS_EARNED, InsufficientPoints, KeyReused, Programme, UnknownMember
from comity.programme.wishes import EndWish, HoldWish
from tests.db.programme.test_api import ADA, BOB, EVE, check_books, published, purchase
from tests.db.programme.test_following import BOUGHT, Till

SPEC = {
    "title": "Club", "currency": "EUR", "enrol": {"automatic": True},
    "earning": {"points_per_unit": 1, "unit_minor": 100},
    "pools": {"members_max": 2, "contribution_percent": 50},
}  # fmt: skip


def club(**changes):
    told = msgspec.convert(SPEC | {"pools": SPEC["pools"] | changes}, ProgrammeSpec)
    return Programme(name="club", spec=told)


class Family:
    """Three members of a club, and their pools."""

    def __init__(self, tx, now):
        self.tx, self.now = tx, now
        self.define()
        self.bought = 0
        api.enrol(tx, profile_ids=[ADA, BOB, EVE], programme=self.club, now=now)

    def define(self, **changes):
        self.club = club(**changes)
        self.programmes = {"club": self.club}

    def open(self, person, key="open"):
        self.now += timedelta(seconds=1)
        wish = PoolWish(profile_id=person, programme="club", idempotency_key=key)
        return api.open_pool(self.tx, wish=wish, programme=self.club, now=self.now)

    def join(self, pool, person):
        return api.join_pool(self.tx, pool_id=pool.pool_id, profile_id=person, programmes=self.programmes, now=self.now)

    def leave(self, pool, person):
        return api.leave_pool(
            self.tx, pool_id=pool.pool_id, profile_id=person, programmes=self.programmes, now=self.now
        )

    def end(self, pool, person):
        return api.end_pool(self.tx, pool_id=pool.pool_id, profile_id=person, now=self.now)

    def spend(self, pool, person, points, key="spend"):
        wish = PoolSpending(pool_id=pool.pool_id, profile_id=person, points=points, idempotency_key=key)
        return api.redeem_from_pool(self.tx, wish=wish, programmes=self.programmes, now=self.now)

    def buy(self, person, points):
        self.bought += 1
        self.now += timedelta(seconds=1)
        bought = purchase(self.bought, person, points * 100, occurred_at=self.now)
        api.earn_for_purchases(self.tx, purchases=[bought], programmes=[self.club], now=self.now)
        return self.collect()

    def collect(self):
        told = [
            Event(event_id=1, xid=1, kind=POINTS_EARNED, payload=each, occurred_at=self.now)
            for each in published(self.tx, POINTS_EARNED)
        ]
        return api.collect_in_pools(self.tx, events=told, programmes=[self.club], now=self.now)

    def points(self, *people):
        return [api.get_member(self.tx, profile_id=each, programme="club").points for each in people]

    def pooled(self, person):
        found = api.list_pools(self.tx, profile_id=person, programme="club", now=self.now)
        return [each.spendable for each in found]


@pytest.fixture
def family(tx, clock):
    opened = Family(tx, clock.now())
    yield opened
    check_books(tx)


def refused(call, *arguments):
    with pytest.raises(PoolRefused) as caught:
        call(*arguments)
    return caught.value.details["reason"]


class TestMembers:
    def test_open_and_join_once_and_within_the_limits(self, family):
        pool = family.open(ADA)
        assert family.open(ADA).pool_id == pool.pool_id and family.open(ADA).is_duplicate
        with pytest.raises(KeyReused):
            family.open(BOB)
        assert [each.profile_id for each in family.join(pool, BOB).members] == [ADA, BOB]
        assert family.join(pool, BOB).is_duplicate
        assert refused(family.join, pool, EVE) == "pool_full"
        assert refused(family.open, BOB, "another") == "too_many_pools"
        assert refused(family.leave, pool, EVE) == "not_in_pool"
        family.leave(pool, BOB)
        assert family.leave(pool, BOB).is_duplicate and len(family.join(pool, EVE).members) == 2

    def test_of_a_programme_without_pools_or_of_nobody(self, family, tx):
        pool = family.open(ADA)
        with pytest.raises(UnknownMember):
            family.join(pool, type(ADA)(int=99))
        with pytest.raises(UnknownPool):
            api.join_pool(tx, pool_id=10**9, profile_id=BOB, programmes=family.programmes, now=family.now)
        family.club = Programme(name="club", spec=msgspec.convert(SPEC | {"pools": None}, ProgrammeSpec))
        assert refused(family.open, BOB, "k") == "no_pools"


class TestPoints:
    def test_part_of_what_is_earned_goes_there_once(self, family):
        family.buy(ADA, 40)
        pool = family.open(ADA)
        family.join(pool, BOB)
        assert [family.buy(ADA, 101), family.buy(BOB, 60), family.buy(EVE, 10)] == [1, 1, 0]
        assert family.collect() == 0
        assert family.points(ADA, BOB, EVE) == [40 + 51, 30, 10]
        assert (family.pooled(ADA), family.pooled(BOB), family.pooled(EVE)) == ([80], [80], [])

    def test_are_spent_by_those_who_are_in(self, family, tx):
        pool = family.open(ADA)
        family.join(pool, BOB)
        family.buy(ADA, 100)
        told = family.spend(pool, BOB, 20)
        assert (told.balance, told.is_duplicate) == (30, False)
        assert family.spend(pool, BOB, 20).transfer_id == told.transfer_id and family.pooled(ADA) == [30]
        assert refused(family.spend, pool, EVE, 1, "e") == "not_in_pool"
        with pytest.raises(InsufficientPoints) as caught:
            family.spend(pool, ADA, 31, "a")
        assert caught.value.details == {"points": 31, "balance": 30}
        with pytest.raises(KeyReused):
            family.spend(pool, BOB, 21)
        [event] = published(tx, "programme.points_redeemed")
        assert (event["profile_id"], event["points"]) == (str(BOB), 20)
        family.define(spenders="first")
        assert refused(family.spend, pool, BOB, 1, "b") == "not_the_first"
        assert family.spend(pool, ADA, 30, "a").balance == 0

    def test_go_with_who_leaves_as_far_as_they_are_left(self, family):
        pool = family.open(ADA)
        family.join(pool, BOB)
        family.buy(ADA, 100)
        family.buy(BOB, 60)
        family.spend(pool, BOB, 20)
        family.leave(pool, ADA)
        assert (family.points(ADA, BOB), family.pooled(BOB)) == ([80, 30], [30])
        family.leave(pool, BOB)
        assert (family.points(ADA, BOB), family.pooled(BOB)) == ([80, 60], [])
        assert refused(family.join, pool, ADA) == "pool_closed"

    def test_stay_where_the_programme_says_so_and_the_last_takes_them(self, family):
        family.define(leaving="stays")
        pool = family.open(ADA)
        family.join(pool, BOB)
        family.buy(ADA, 100)
        family.leave(pool, ADA)
        assert (family.points(ADA, BOB), family.pooled(BOB)) == ([50, 0], [50])
        family.leave(pool, BOB)
        assert family.points(ADA, BOB) == [50, 50]

    @pytest.mark.parametrize("leaving", ["takes_share", "stays"])
    def test_go_to_each_when_the_first_ends_the_pool(self, family, leaving):
        family.define(leaving=leaving)
        pool = family.open(ADA)
        family.join(pool, BOB)
        family.buy(ADA, 100)
        family.buy(BOB, 60)
        family.spend(pool, BOB, 20)
        assert refused(family.end, pool, BOB) == "not_the_first"
        assert refused(family.end, pool, EVE) == "not_in_pool"
        ended = family.end(pool, ADA)
        assert (ended.members, ended.spendable, family.points(ADA, BOB)) == ([], 0, [80, 60])
        assert family.end(pool, ADA).is_duplicate and family.end(pool, BOB).is_duplicate
        assert refused(family.join, pool, ADA) == "pool_closed"

    def test_of_those_who_left_them_go_to_the_first(self, family):
        family.define(leaving="stays", members_max=3)
        pool = family.open(ADA)
        for person in (BOB, EVE):
            family.join(pool, person)
        for person in (ADA, BOB, EVE):
            family.buy(person, 100)
        family.leave(pool, EVE)
        family.end(pool, ADA)
        assert family.points(ADA, BOB, EVE) == [150, 100, 50]

    def test_that_are_held_stay_with_the_member(self, family, tx):
        """A hold takes the points of a purchase before the pool has its part: it gets what is still there."""
        pool = family.open(ADA)
        family.join(pool, BOB)
        family.collect, collect = lambda: 0, family.collect
        family.buy(ADA, 100)
        wish = HoldWish(
            profile_id=ADA, programme="club", points=70, idempotency_key="h",
            deadline_at=family.now + timedelta(hours=1),
        )  # fmt: skip
        [held] = api.hold_many(tx, holds=[wish], now=family.now)
        assert collect() == 1 and (family.points(ADA), family.pooled(ADA)) == ([0], [30])
        api.end_holds(tx, ends=[EndWish(hold_id=held.hold_id, idempotency_key="e", points=0)], now=family.now)
        assert (collect(), family.points(ADA), family.pooled(ADA)) == (0, [70], [30])
        family.leave(pool, ADA)
        assert family.points(ADA) == [100]

    def test_follow_people_who_become_one(self, family):
        pool = family.open(ADA)
        family.buy(ADA, 100)
        moves = [ProfileMove(loser_profile_id=ADA, survivor_profile_id=EVE)]
        api.merge_members(family.tx, moves=moves, programmes=[family.club], now=family.now)
        family.buy(EVE, 20)
        assert (family.points(EVE), family.pooled(EVE), family.pooled(ADA)) == ([60], [60], [60])
        assert [each.profile_id for each in family.join(pool, BOB).members] == [EVE, BOB]
        family.leave(pool, EVE)
        assert family.points(EVE) == [120]


@pytest.mark.parametrize(("spent", "left"), [(0, (0, 30)), (25, (0, 5)), (40, (0, 0))])
def test_what_is_returned_comes_back_from_the_pool_beyond_what_the_member_has(tx, spent, left):
    programme = club()
    till = Till(tx, programme)
    wish = PoolWish(profile_id=ADA, programme="club", idempotency_key="k")
    pool = api.open_pool(tx, wish=wish, programme=programme, now=BOUGHT)

    def show():
        [found] = api.list_pools(tx, profile_id=ADA, programme="club", now=BOUGHT)
        return api.get_member(tx, profile_id=ADA, programme="club").points, found.spendable

    till.sell(1, 10_000)
    told = [
        Event(event_id=1, xid=1, kind=POINTS_EARNED, payload=each, occurred_at=BOUGHT)
        for each in published(tx, POINTS_EARNED)
    ]
    assert api.collect_in_pools(tx, events=told, programmes=[programme], now=BOUGHT) == 1 and show() == (50, 50)
    till.take_back(1, 3_000)
    assert show() == (20, 50)
    if spent:
        spending = PoolSpending(pool_id=pool.pool_id, profile_id=ADA, points=spent, idempotency_key="s")
        api.redeem_from_pool(tx, wish=spending, programmes={"club": programme}, now=BOUGHT)
    till.take_back(1, 4_000, name="b")
    assert show() == left
    check_books(tx)
