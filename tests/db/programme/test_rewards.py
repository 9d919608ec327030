"""Rewards for points: exactly as many as there are, and vouchers that stay with the person."""

from datetime import date, timedelta

import msgspec
import pytest

from comity.definitions.types import AttributeType, ProgrammeSpec
from comity.programme import api
from comity.programme.types import InsufficientPoints, KeyReused, Programme, UnknownMember
from comity.programme.vouchers import (
    REWARD_ISSUED,
    VOUCHER_CANCELLED,
    VOUCHER_EXPIRED,
    RewardRefused,
    RewardWish,
    UnknownReward,
    UnknownVoucher,
    VoucherEnded,
    VoucherNotUsed,
    VoucherTold,
    VoucherVerb,
    VoucherWish,
)
from comity.programme.wishes import POINTS_MOVED, ProgrammeNotDefined, WishInvalid
from tests.db.programme.test_api import ADA, BOB, EVE, check_books, published, purchase
from tests.db.programme.test_parting import Club

SPEC = {
    "title": "Club", "currency": "EUR", "timezone": "Europe/Berlin",
    "earning": {"points_per_unit": 1, "unit_minor": 100},
    "tiers": {"window_days": 365, "levels": [{"name": "Blue", "from": 0}, {"name": "Gold", "from": 500}]},
    "redemptions": {"large_above": 150},
    "rewards": [
        {"name": "coffee", "title": "A coffee", "price": 50, "stock": 3, "caps": [{"per": "day", "times": 2}]},
        {"name": "ten_euros", "title": "10 euros", "price": 200, "voucher": {"minor": 1000, "valid": {"days": 10}}},
        {"name": "spa", "title": "Spa", "price": 10, "tiers": ["Gold"], "when": "loyalty.points >= 100"},
        {"name": "dinner", "title": "Dinner", "price": 10, "when": "city = 'Ulm'"},
        {"name": "old", "title": "Gone", "price": 10, "last_day": "2026-03-02"},
        {"name": "new", "title": "To come", "price": 10, "first_day": "2026-03-04"},
    ],
}  # fmt: skip
CLUB = Programme(name="club", spec=msgspec.convert(SPEC, ProgrammeSpec))
ATTRIBUTES = {"city": AttributeType.TEXT}


class Shelf:
    """A club with members, and what they do with its rewards."""

    def __init__(self, tx, ids, now):
        self.tx, self.ids, self.now = tx, ids, now
        self.count = 0

    def ask(self, *wishes):
        """Ask for (person, reward) or (person, reward, key) in one batch."""
        asked = []
        for person, reward, *given in wishes:
            self.count += 1
            key = given[0] if given else f"w{self.count}"
            asked.append(RewardWish(profile_id=person, programme="club", reward=reward, idempotency_key=key))
        return api.issue_rewards(
            self.tx, wishes=asked, programmes={"club": CLUB}, attributes=ATTRIBUTES, ids=self.ids, now=self.now
        )

    def have(self, person, reward):
        [told] = self.ask((person, reward))
        assert isinstance(told, VoucherTold), told
        return told

    def use(self, code, key="use"):
        [told] = api.use_vouchers(self.tx, wishes=[VoucherWish(code=code, idempotency_key=key)], now=self.now)
        return told

    def end(self, code, verb=VoucherVerb.CANCEL, key="end"):
        wishes = [VoucherWish(code=code, idempotency_key=key)]
        [told] = api.end_vouchers(self.tx, wishes=wishes, verb=verb, programmes={"club": CLUB}, now=self.now)
        return told

    def points(self, person):
        return api.get_member(self.tx, profile_id=person, programme="club").points

    def offers(self, person):
        found = api.list_rewards(self.tx, profile_id=person, programme=CLUB, attributes=ATTRIBUTES, now=self.now)
        return {each.name: each for each in found}

    def vouchers(self, person):
        return api.list_vouchers(self.tx, profile_id=person, programme="club", limit_max=100, now=self.now)


@pytest.fixture
def shelf(tx, ids, clock):
    opened = Shelf(tx, ids, clock.now())
    api.enrol(tx, profile_ids=[ADA, BOB], programme=CLUB, now=opened.now)
    bought = [purchase(1, ADA, 60_000, occurred_at=opened.now), purchase(2, BOB, 12_000, occurred_at=opened.now)]
    api.earn_for_purchases(tx, purchases=bought, programmes=[CLUB], now=opened.now)
    yield opened
    check_books(tx)


def kinds(answers):
    return [getattr(each, "details", {}).get("reason") or type(each).__name__ for each in answers]


class TestIssue:
    def test_spends_the_price_and_gives_a_code(self, shelf, tx):
        told = shelf.have(ADA, "ten_euros")
        assert (told.balance, told.pending, told.tier, told.is_duplicate) == (400, 0, "Gold", False)
        voucher = told.voucher
        assert (voucher.points, voucher.minor, voucher.currency) == (200, 1000, "EUR")
        assert (voucher.state, voucher.expires_on) == ("issued", date(2026, 3, 13))
        assert len(voucher.code) == 19 and shelf.points(ADA) == 400
        [event] = published(tx, REWARD_ISSUED)
        assert (event["reward"], event["points"]) == ("ten_euros", 200) and voucher.code not in str(event)
        [large] = published(tx, "programme.large_redemption")
        assert (large["points"], large["large_above"]) == (200, 150)

    def test_in_one_batch_each_is_judged_with_what_the_ones_before_have_taken(self, shelf):
        told = shelf.ask(
            (BOB, "coffee", "a"), (BOB, "coffee", "b"), (BOB, "coffee", "c"), (BOB, "coffee", "a"), (ADA, "coffee"),
            (ADA, "coffee"), (BOB, "spa"), (BOB, "ten_euros"), (EVE, "coffee"), (ADA, "tea"), (ADA, "coffee", ""),
            (ADA, "dinner"), (ADA, "old"), (ADA, "new"), (BOB, "ten_euros", "a"), (ADA, "spa"),
        )  # fmt: skip
        assert kinds(told) == [
            "VoucherTold", "VoucherTold", "cap_reached", "VoucherTold", "VoucherTold", "out_of_stock", "tier_too_low",
            "InsufficientPoints", "UnknownMember", "UnknownReward", "WishInvalid", "condition_failed", "no_longer",
            "not_yet", "KeyReused", "VoucherTold",
        ]  # fmt: skip
        assert told[3].voucher == told[0].voucher and told[3].is_duplicate
        assert told[7].details == {"balance": 20, "price": 200}
        assert (shelf.points(ADA), shelf.points(BOB)) == (540, 20)
        assert {type(each) for each in told} >= {
            InsufficientPoints, KeyReused, RewardRefused, UnknownMember, UnknownReward, WishInvalid,
        }  # fmt: skip

    def test_again_answers_the_first_voucher_as_it_stands_now(self, shelf):
        [first] = shelf.ask((ADA, "coffee", "k"))
        shelf.use(first.voucher.code)
        [again, other] = shelf.ask((ADA, "coffee", "k"), (BOB, "coffee", "k"))
        assert (again.voucher.voucher_id, again.voucher.state) == (first.voucher.voucher_id, "used")
        assert again.is_duplicate and isinstance(other, KeyReused) and shelf.points(ADA) == 550

    def test_of_a_programme_nobody_defined(self, shelf, tx, ids):
        wish = RewardWish(profile_id=ADA, programme="miles", reward="coffee", idempotency_key="k")
        [told] = api.issue_rewards(tx, wishes=[wish], programmes={}, attributes={}, ids=ids, now=shelf.now)
        assert isinstance(told, ProgrammeNotDefined)


class TestOffers:
    def test_say_why_not(self, shelf):
        shelf.ask((BOB, "coffee"), (BOB, "coffee"))
        offers = shelf.offers(BOB)
        assert {name: each.reason for name, each in offers.items()} == {
            "coffee": "cap_reached", "ten_euros": "insufficient_points", "spa": "tier_too_low",
            "dinner": "condition_failed", "old": "no_longer", "new": "not_yet",
        }  # fmt: skip
        assert (offers["coffee"].stock_left, offers["spa"].stock_left) == (1, None)
        assert shelf.offers(ADA)["spa"].is_available and shelf.offers(ADA)["coffee"].is_available


class TestUse:
    def test_is_done_once_however_the_code_is_typed(self, shelf):
        code = shelf.have(ADA, "coffee").voucher.code
        told = shelf.use(code.lower().replace("-", " "))
        assert (told.voucher.state, told.is_duplicate, told.voucher.used_at) == ("used", False, shelf.now)
        assert shelf.use(code).is_duplicate
        refused = shelf.use(code, key="another")
        assert isinstance(refused, VoucherEnded) and refused.details["state"] == "used"
        assert isinstance(shelf.end(code), VoucherEnded)
        other = shelf.have(ADA, "coffee").voucher.code
        assert isinstance(shelf.use(other), KeyReused)
        assert isinstance(shelf.use("NONE-SUCH"), UnknownVoucher)

    def test_of_one_code_twice_in_a_batch_uses_it_once(self, shelf, tx):
        code = shelf.have(ADA, "coffee").voucher.code
        wishes = [VoucherWish(code=code, idempotency_key=key) for key in ("a", "a", "b")]
        told = api.use_vouchers(tx, wishes=wishes, now=shelf.now)
        assert [type(each) for each in told] == [VoucherTold, VoucherTold, VoucherEnded]
        assert [each.is_duplicate for each in told[:2]] == [False, True]

    def test_after_the_last_day_it_is_over(self, shelf, tx):
        code = shelf.have(ADA, "ten_euros").voucher.code
        shelf.now += timedelta(days=10)
        assert shelf.vouchers(ADA)[0].state == "expired"
        for refused in (shelf.use(code), shelf.end(code)):
            assert isinstance(refused, VoucherEnded) and refused.details["state"] == "expired"
        assert [api.expire_vouchers(tx, programme=CLUB, now=shelf.now) for _ in range(2)] == [1, 0]
        assert published(tx, VOUCHER_EXPIRED)[0]["state"] == "expired" and shelf.points(ADA) == 400


class TestCancel:
    def test_gives_points_piece_and_cap_back(self, shelf, tx):
        before = api.get_points(tx, profile_id=ADA, programme="club", now=shelf.now).lots
        codes = [shelf.have(ADA, "coffee").voucher.code for _ in range(2)]
        assert kinds(shelf.ask((ADA, "coffee"))) == ["cap_reached"]
        told = shelf.end(codes[0])
        assert (told.voucher.state, told.balance, told.is_duplicate) == ("cancelled", 550, False)
        assert shelf.end(codes[0]).is_duplicate and isinstance(shelf.use(codes[0], key="u"), VoucherEnded)
        assert isinstance(shelf.end(codes[0], key="again"), VoucherEnded)
        assert isinstance(shelf.end(codes[1]), KeyReused)
        assert shelf.offers(ADA)["coffee"].stock_left == 2 and shelf.have(ADA, "coffee")
        assert shelf.end(codes[1], key="second").balance == 550
        lots = api.get_points(tx, profile_id=ADA, programme="club", now=shelf.now).lots
        assert [each.lot_id for each in lots] == [each.lot_id for each in before]
        assert [each["points"] for each in published(tx, POINTS_MOVED)] == [50, 50]
        assert len(published(tx, VOUCHER_CANCELLED)) == 2

    def test_of_a_used_one_is_a_return(self, shelf):
        code = shelf.have(ADA, "coffee").voucher.code
        assert isinstance(shelf.end(code, VoucherVerb.RETURN), VoucherNotUsed)
        shelf.use(code)
        told = shelf.end(code, VoucherVerb.RETURN)
        assert (told.voucher.state, told.balance) == ("returned", 600)
        assert shelf.end(code, VoucherVerb.RETURN).is_duplicate
        assert shelf.use(code).voucher.state == "returned"


@pytest.fixture
def people(tx, clock):
    """Ada with 600 points and Bob with 120, whose purchases stand in the hub, so that they can be parted again."""
    club = Club(tx, clock.now())
    club.buy(ADA, 600, 1)
    club.buy(BOB, 120, 2)
    yield club
    check_books(tx)


class TestMerge:
    def test_carries_vouchers_there_and_back(self, people, tx, ids):
        shelf = Shelf(tx, ids, people.now)
        own = shelf.have(ADA, "coffee").voucher
        people.merge(ADA, BOB)
        asked = shelf.have(ADA, "coffee").voucher
        others = shelf.have(BOB, "ten_euros").voucher
        assert {each.voucher_id for each in shelf.vouchers(BOB)} == {
            own.voucher_id, asked.voucher_id, others.voucher_id,
        }  # fmt: skip
        assert {each.profile_id for each in shelf.vouchers(ADA)} == {BOB}
        assert shelf.end(own.code).balance == 600 + 120 - 250
        people.part(ADA)
        assert [each.voucher_id for each in shelf.vouchers(ADA)] == [asked.voucher_id, own.voucher_id]
        assert [each.voucher_id for each in shelf.vouchers(BOB)] == [others.voucher_id]
        # Bob had 120 and has spent 200: Ada has back what was hers, Bob owes the rest.
        assert (shelf.points(ADA), shelf.points(BOB)) == (550, -80)
        assert shelf.end(asked.code, key="later").balance == 600
        assert shelf.end(others.code, key="last").balance == 120

    def test_of_what_was_cancelled_by_then_everybody_has_all(self, people, tx, ids):
        shelf = Shelf(tx, ids, people.now)
        people.merge(ADA, BOB)
        code = shelf.have(BOB, "ten_euros").voucher.code
        shelf.end(code)
        people.part(ADA)
        assert (shelf.points(ADA), shelf.points(BOB)) == (600, 120)
