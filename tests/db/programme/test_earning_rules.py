"""Earning rules that remember: caps and first purchases over batches, repeats and merges."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from comity.activity.types import ProfileMove
from comity.definitions.types import ProgrammeSpec
from comity.programme import api
from comity.programme.types import POINTS_AVAILABLE, POINTS_EXPIRED, EarnOutcome, InsufficientPoints, Programme
from tests.db.programme.test_api import ADA, BOB, check_books, published, purchase

RULES = [
    {"name": "base", "rate": {"points": 1, "per_minor": 100}, "caps": [{"per": "day", "points": 150}]},
    {"name": "welcome", "fixed": 500, "first_purchase": True},
]
SPEC = {"title": "Club", "currency": "EUR", "timezone": "Europe/Berlin", "earning_rules": RULES}
CLUB = Programme(name="club", spec=msgspec.convert(SPEC, ProgrammeSpec), version=1)
NEXT_DAY = datetime(2026, 3, 2, 10, tzinfo=UTC)


@pytest.fixture
def now(clock):
    return clock.now()


@pytest.fixture
def earn(tx, now):
    def run(*purchases):
        earned = api.earn_for_purchases(tx, purchases=purchases, programmes=[CLUB], now=now)
        check_books(tx)
        return {each.purchase_id: each.points for each in earned}

    api.enrol(tx, profile_ids=[ADA, BOB], programme=CLUB, now=now)
    return run


def points_of(tx, profile_id):
    return api.get_member(tx, profile_id=profile_id, programme="club").points


def test_a_cap_counts_over_batches_and_starts_anew_the_next_day(tx, earn):
    assert earn(purchase(1), purchase(2)) == {1: 600, 2: 50}
    assert earn(purchase(3)) == {3: 0}
    assert api.find_earnings(tx, purchase_id=3)[0].outcome is EarnOutcome.NOTHING
    assert earn(purchase(4, occurred_at=NEXT_DAY)) == {4: 100}
    assert points_of(tx, ADA) == 750


def test_a_repeat_neither_earns_nor_uses_a_cap_up(earn):
    assert earn(purchase(1)) == {1: 600}
    assert earn(purchase(1), purchase(2, amount=5_000), purchase(1)) == {2: 50}
    assert earn(purchase(1), purchase(2, amount=5_000)) == {}


def test_members_count_apart(earn):
    assert earn(purchase(1), purchase(2, BOB), purchase(3, BOB)) == {1: 600, 2: 600, 3: 50}


def test_whoever_survives_a_merge_has_both_behind_them(tx, now, earn):
    earn(purchase(1, amount=8_000), purchase(2, BOB, amount=6_000))
    api.merge_members(
        tx, moves=[ProfileMove(loser_profile_id=BOB, survivor_profile_id=ADA)], programmes=[CLUB], now=now
    )
    assert earn(purchase(3, BOB)) == {3: 10}
    assert points_of(tx, ADA) == 580 + 560 + 10
    counted = tx.execute(
        "select sum(c.amount) from programme.counter c join programme.v_member using (member_id) "
        "where c.counter like 'rule.base.points%'"
    )
    assert counted.fetchone() == (150,)


class TestExpiry:
    """Points of a purchase are a lot that ends on its day, in the calendar of the programme."""

    MILES = Programme(
        name="miles",
        spec=msgspec.convert(
            {
                "title": "Miles",
                "currency": "EUR",
                "timezone": "Europe/Berlin",
                "earning": {"points_per_unit": 1, "unit_minor": 100},
                "points": [{"name": "miles", "expiry": {"kind": "rolling", "after": {"months": 1}}}],
            },
            ProgrammeSpec,
        ),
    )

    def points(self, tx, profile_id=ADA):
        return api.get_member(tx, profile_id=profile_id, programme="miles").points

    def redeem(self, tx, points, now):
        return api.redeem(tx, profile_id=ADA, programme="miles", points=points, idempotency_key=f"r{points}", now=now)

    def test_what_is_left_of_a_purchase_expires_on_its_day(self, tx):
        bought = datetime(2026, 1, 31, 10, tzinfo=UTC)
        api.enrol(tx, profile_ids=[ADA, BOB], programme=self.MILES, now=bought)
        api.earn_for_purchases(
            tx,
            purchases=[purchase(1, occurred_at=bought), purchase(2, BOB, occurred_at=bought)],
            programmes=[self.MILES],
            now=bought,
        )  # fmt: skip
        later = bought + timedelta(days=20)
        api.earn_for_purchases(tx, purchases=[purchase(3, occurred_at=later)], programmes=[self.MILES], now=later)
        self.redeem(tx, 30, now=bought)
        last_minute = datetime(2026, 2, 27, 22, 59, tzinfo=UTC)
        assert api.expire_points(tx, programme=self.MILES, now=last_minute) == 0
        assert self.points(tx) == 170
        midnight = datetime(2026, 2, 27, 23, 0, tzinfo=UTC)
        with pytest.raises(InsufficientPoints):
            self.redeem(tx, 101, now=midnight)
        assert api.expire_points(tx, programme=self.MILES, now=midnight) == 2
        assert api.expire_points(tx, programme=self.MILES, now=midnight) == 0
        assert (self.points(tx), self.points(tx, BOB)) == (100, 0)
        told = {each["profile_id"]: each["points"] for each in published(tx, POINTS_EXPIRED)}
        assert told == {str(ADA): 70, str(BOB): 100}
        check_books(tx)


class TestPending:
    """What is pending is shown beside what can be spent, and becomes available with its day."""

    STAYS = Programme(
        name="stays",
        spec=msgspec.convert(
            {
                "title": "Stays",
                "currency": "EUR",
                "timezone": "Europe/Berlin",
                "points": [{"name": "stays", "pending": {"days": 14}}],
                "earning_rules": [
                    {"name": "base", "rate": {"points": 1, "per_minor": 100}},
                    {"name": "bonus", "fixed": 20, "pending": {"days": 3},
                     "expiry": {"kind": "rolling", "after": {"days": 30}}},
                ],
            },
            ProgrammeSpec,
        ),
    )  # fmt: skip
    BOUGHT = datetime(2026, 3, 1, 10, tzinfo=UTC)

    @pytest.fixture
    def buy(self, tx):
        api.enrol(tx, profile_ids=[ADA, BOB], programme=self.STAYS, now=self.BOUGHT)

        def run(*purchases):
            api.earn_for_purchases(tx, purchases=purchases, programmes=[self.STAYS], now=self.BOUGHT)
            check_books(tx)

        return run

    def shown(self, tx, profile_id=ADA):
        member = api.get_member(tx, profile_id=profile_id, programme="stays")
        return member.points, member.pending

    def redeem(self, tx, points, now):
        return api.redeem(tx, profile_id=ADA, programme="stays", points=points, idempotency_key=f"r{now}", now=now)

    def test_points_mature_by_rule_and_cannot_be_spent_before(self, tx, buy):
        buy(purchase(1, occurred_at=self.BOUGHT), purchase(2, BOB, occurred_at=self.BOUGHT - timedelta(days=60)))
        assert (self.shown(tx), self.shown(tx, BOB)) == ((0, 120), (120, 0))
        with pytest.raises(InsufficientPoints):
            self.redeem(tx, 1, now=self.BOUGHT)
        assert api.release_points(tx, programme=self.STAYS, now=self.BOUGHT + timedelta(days=2)) == 0
        assert api.release_points(tx, programme=self.STAYS, now=self.BOUGHT + timedelta(days=3)) == 1
        assert self.shown(tx) == (20, 100)
        late = self.BOUGHT + timedelta(days=14)
        assert [api.release_points(tx, programme=self.STAYS, now=late) for _ in range(2)] == [1, 0]
        assert self.shown(tx) == (120, 0)
        self.redeem(tx, 120, now=late)
        told = [(each["profile_id"], each["points"]) for each in published(tx, POINTS_AVAILABLE)]
        assert told == [(str(ADA), 20), (str(ADA), 100)]
        check_books(tx)

    def test_what_is_pending_stays_so_for_whoever_takes_it_over(self, tx, buy):
        buy(purchase(1, BOB, occurred_at=self.BOUGHT))
        api.merge_members(
            tx,
            moves=[ProfileMove(loser_profile_id=BOB, survivor_profile_id=ADA)],
            programmes=[self.STAYS],
            now=self.BOUGHT,
        )
        assert self.shown(tx) == (0, 120)
        api.release_points(tx, programme=self.STAYS, now=self.BOUGHT + timedelta(days=20))
        assert self.shown(tx) == (120, 0)
