"""What is told in one place agrees with what is told in another: quotes with purchases, balances with members."""

from datetime import timedelta

import msgspec
import pytest

from comity.definitions.types import ProgrammeSpec
from comity.programme import api
from comity.programme.engine.facts import InvalidPurchase
from comity.programme.types import POINTS_REDEEMED, Programme, Redemption
from comity.programme.vouchers import RewardWish
from comity.programme.wishes import POINTS_MOVED, AdjustmentWish, EndWish, HoldWish, TransferWish
from tests.db.programme.test_api import ADA, BOB, check_books, published, purchase

SPEC = {
    "title": "Club", "currency": "EUR", "brands": ["hotel"], "transfers": {}, "adjustments": {"checker_above": 1000},
    "earning_rules": [
        {"name": "base", "rate": {"points": 1, "per_minor": 100}},
        {"name": "web", "multiplier_percent": 200, "channels": ["web"], "categories": ["spa"]},
        {"name": "ulm", "fixed": 7, "stores": ["Ulm"], "pending": {"days": 14}},
    ],
    "rewards": [{"name": "mug", "title": "A mug", "price": 10}],
}  # fmt: skip
CLUB = Programme(name="club", spec=msgspec.convert(SPEC, ProgrammeSpec))
DETAILS = {"brand": "hotel", "store": "Ulm", "channel": "web"}
LINES = [
    {"line_id": "1", "amount_minor": 10_000, "quantity": 2, "category": "room"},
    {"line_id": "2", "amount_minor": 5_000, "quantity": 1, "category": "spa"},
]


@pytest.fixture
def now(tx, clock):
    api.enrol(tx, profile_ids=[ADA, BOB], programme=CLUB, now=clock.now())
    yield clock.now()
    check_books(tx)


def buy(tx, now, number, details, person=ADA):
    bought = msgspec.structs.replace(purchase(number, person, 15_000, occurred_at=now), details=details)
    [earned] = api.earn_for_purchases(tx, purchases=[bought], programmes=[CLUB], now=now)
    return earned


def quote(tx, now, details):
    return api.quote_purchase(
        tx, profile_id=ADA, programme=CLUB, amount_minor=15_000, currency="EUR", occurred_at=now, now=now,
        details=details,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("details", "points"),
    [
        (DETAILS | {"lines": LINES}, 207),
        ({"brand": "hotel", "channel": "web", "lines": LINES}, 200),
        ({"brand": "hotel", "lines": LINES}, 150),
        ({"brand": "bar", "lines": LINES}, 0),
        (None, 0),
    ],
)
def test_a_quote_knows_lines_channel_store_and_brand(tx, now, details, points):
    told = quote(tx, now, details)
    earned = buy(tx, now, 1, details)
    assert (told.points, told.outcome) == (points, earned.outcome)
    assert earned.points == points == sum(each.points for each in told.lots)
    assert [each.available_from is not None for each in told.lots] == ([False, True] if points == 207 else [False])[
        : len(told.lots)
    ]


def test_a_quote_of_lines_that_contradict_themselves_is_refused(tx, now):
    with pytest.raises(InvalidPurchase):
        quote(tx, now, {"brand": "hotel", "lines": [LINES[0], LINES[0]]})


def test_every_answer_tells_what_the_member_can_spend(tx, ids, now):
    """200 points can be spent and 7 are pending: no answer takes them together."""
    buy(tx, now, 1, DETAILS | {"lines": LINES})
    answered = []

    def agree(balance):
        member = api.get_member(tx, profile_id=ADA, programme="club")
        assert (balance, member.pending) == (member.points, 7)
        answered.append(balance)

    told = api.quote_redemption(tx, profile_id=ADA, programme="club", points=20, now=now)
    wishes = [Redemption(profile_id=ADA, programme="club", points=10, idempotency_key=key) for key in ("a", "b", "a")]
    verdicts = api.redeem_many(tx, redemptions=wishes, now=now)
    assert [(each.balance, each.pending) for each in verdicts] == [(190, 7), (180, 7), (180, 7)]
    assert [each["balance"] for each in published(tx, POINTS_REDEEMED)] == [190, 180]
    agree(told.balance_after)
    wish = HoldWish(
        profile_id=ADA, programme="club", points=30, deadline_at=now + timedelta(hours=1), idempotency_key="h"
    )
    for _ in range(2):
        [held] = api.hold_many(tx, holds=[wish], now=now)
        agree(held.balance)
    [ended] = api.end_holds(tx, ends=[EndWish(hold_id=held.hold_id, points=10, idempotency_key="e")], now=now)
    agree(ended.balance)
    gift = TransferWish(profile_id=ADA, to_profile_id=BOB, programme="club", points=20, idempotency_key="t")
    for _ in range(2):
        agree(api.transfer(tx, wish=gift, programme=CLUB, now=now).balance)
    wish = AdjustmentWish(
        profile_id=ADA, programme="club", points=-50, reason="Mistake", idempotency_key="j", maker="Mara"
    )
    agree(api.adjust(tx, wish=wish, programme=CLUB, now=now).balance)
    wish = RewardWish(profile_id=ADA, programme="club", reward="mug", idempotency_key="r")
    [had] = api.issue_rewards(tx, wishes=[wish], programmes={"club": CLUB}, attributes={}, ids=ids, now=now)
    agree(had.balance)
    assert had.pending == 7 and answered == [180, 150, 150, 170, 150, 150, 100, 90]
    moved = [each["balance"] for each in published(tx, POINTS_MOVED) if each["profile_id"] == str(ADA)]
    assert moved == [150, 170, 150, 100]
