"""Points are gone when their day begins; what is answered before the hourly work books that leaves them out."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from comity.definitions.types import ProgrammeSpec
from comity.programme import api
from comity.programme.api import AdjustmentWish, HoldWish, TransferWish
from comity.programme.types import POINTS_REDEEMED, InsufficientPoints, Programme, Redemption, RedemptionStatus
from tests.db.programme.test_api import ADA, BOB, check_books, published, purchase

SPEC = {
    "title": "Club", "currency": "EUR", "timezone": "Europe/Berlin",
    "points": [{"name": "miles", "expiry": {"kind": "rolling", "after": {"days": 10}}},
               {"name": "coins", "expiry": {"kind": "rolling", "after": {"days": 10}}}],
    "earning_rules": [{"name": "miles", "rate": {"points": 1, "per_minor": 100}},
                      {"name": "coins", "rate": {"points": 2, "per_minor": 100}, "points": "coins"}],
    "transfers": {}, "adjustments": {"checker_above": 1000, "points_max": 1000},
    "rewards": [{"name": "mug", "title": "A mug", "price": 10, "when": "loyalty.points > 60"}],
}  # fmt: skip
CLUB = Programme(name="points", spec=msgspec.convert(SPEC, ProgrammeSpec))
KNOWN = {"points": CLUB}
FIRST, SECOND = datetime(2026, 3, 1, 10, tzinfo=UTC), datetime(2026, 3, 5, 10, tzinfo=UTC)
EVE = datetime(2026, 3, 10, 22, 50, tzinfo=UTC)
NEXT_DAY = datetime(2026, 3, 10, 23, 1, tzinfo=UTC)
"""A minute after midnight in Berlin: what was earned on 1 March is gone, and not booked as that."""

ADAS = {"profile_id": ADA, "programme": "points"}


@pytest.fixture(autouse=True)
def earned(tx):
    """Ada has 100 miles and 200 coins until 10 March, and half of that until 14 March."""
    api.enrol(tx, profile_ids=[ADA, BOB], programme=CLUB, now=FIRST)
    for number, (moment, amount) in enumerate([(FIRST, 10_000), (SECOND, 5_000)], start=1):
        bought = purchase(number, amount=amount, occurred_at=moment)
        api.earn_for_purchases(tx, purchases=[bought], programmes=[CLUB], now=moment)
    yield
    check_books(tx)


def redeem(tx, points, *, now, kind=None):
    wish = Redemption(**ADAS, points=points, kind=kind, idempotency_key=f"r{points}")
    return api.redeem_many(tx, redemptions=[wish], now=now, programmes=KNOWN)[0]


def test_points_and_memberships_leave_them_out_at_once(tx):
    before = api.get_points(tx, **ADAS, now=EVE)
    assert (before.balance, before.spendable, [each.points for each in before.lots]) == (150, 150, [100, 50])
    told = api.get_points(tx, **ADAS, now=NEXT_DAY)
    assert (told.balance, told.spendable, [each.points for each in told.lots]) == (50, 50, [50])
    coins = told.kinds["coins"]
    assert (coins.balance, coins.spendable, [each.points for each in coins.lots]) == (100, 100, [100])
    [member] = api.find_members_today(tx, profile_ids=[ADA], programmes=[CLUB], now=NEXT_DAY)[ADA]
    assert (member.points, member.kinds["miles"].points, member.kinds["coins"].points) == (50, 50, 100)


def test_booking_it_changes_no_answer(tx):
    def answers():
        found = api.find_members_today(tx, profile_ids=[ADA, BOB], programmes=[CLUB], now=NEXT_DAY)
        return api.get_points(tx, **ADAS, now=NEXT_DAY), found

    before = answers()
    assert api.expire_points(tx, programme=CLUB, now=NEXT_DAY) == 2
    assert answers() == before
    [booked, *_] = api.list_statement(tx, **ADAS, before_transfer_id=None, limit_max=10, now=NEXT_DAY)
    assert (booked.amount, booked.balance_after, booked.effective_on.isoformat()) == (-100, 50, "2026-03-11")


def test_what_moves_points_answers_what_is_left(tx):
    assert redeem(tx, 10, now=NEXT_DAY).balance == 40
    assert redeem(tx, 10, now=NEXT_DAY).balance == 40
    assert redeem(tx, 20, now=NEXT_DAY, kind="coins").balance == 80
    assert [each["balance"] for each in published(tx, POINTS_REDEEMED)] == [40, 80]
    asked = HoldWish(**ADAS, points=10, deadline_at=NEXT_DAY + timedelta(hours=1), idempotency_key="h")
    assert api.hold_many(tx, holds=[asked], now=NEXT_DAY)[0].balance == 30
    given = TransferWish(**ADAS, to_profile_id=BOB, points=5, idempotency_key="t")
    assert api.transfer(tx, wish=given, programme=CLUB, now=NEXT_DAY).balance == 25
    by_hand = AdjustmentWish(**ADAS, points=3, reason="a", idempotency_key="a", maker="m")
    assert api.adjust(tx, wish=by_hand, programme=CLUB, now=NEXT_DAY).balance == 28
    told = api.quote_redemption(tx, **ADAS, points=8, now=NEXT_DAY)
    assert (told.is_possible, told.balance_after) == (True, 20)


def test_who_asks_for_too_many_is_told_how_many_there_are(tx):
    told = redeem(tx, 60, now=NEXT_DAY)
    assert (told.status, told.balance) == (RedemptionStatus.INSUFFICIENT_POINTS, 50)
    asked = HoldWish(**ADAS, points=60, deadline_at=NEXT_DAY + timedelta(hours=1), idempotency_key="h")
    [refused] = api.hold_many(tx, holds=[asked], now=NEXT_DAY)
    assert isinstance(refused, InsufficientPoints) and refused.details["balance"] == 50


def test_conditions_of_rewards_ask_for_what_is_left(tx):
    for now, is_available in ((EVE, True), (NEXT_DAY, False)):
        [offer] = api.list_rewards(tx, profile_id=ADA, programme=CLUB, attributes={}, now=now)
        assert offer.is_available == is_available
