"""The calendar moves tiers at midnight; what is answered before the hourly work has been is at the tier of today."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from comity.definitions.types import EnrolSpec, ProgrammeSpec
from comity.kernel.events import Event
from comity.programme import api
from comity.programme.api import AdjustmentWish, EndWish, HoldWish, PoolSpending, PoolWish, RewardWish, TransferWish
from comity.programme.types import POINTS_EARNED, TIER_CHANGED, Programme, Redemption
from comity.programme.vouchers import RewardRefused, VoucherVerb, VoucherWish
from comity.programme.wishes import TransferRefused
from tests.db.programme.test_api import ADA, BOB, published
from tests.db.programme.test_recording import make_people, wish

SPEC = {
    "title": "Club", "currency": "EUR", "timezone": "Europe/Berlin",
    "earning": {"points_per_unit": 1, "unit_minor": 100},
    "ladders": [
        {"name": "level", "window": {"kind": "calendar"},
         "levels": [{"name": "Blue", "from": 0}, {"name": "Gold", "from": 500}]},
        {"name": "life", "window": {"kind": "lifetime"}, "levels": [{"name": "Guest", "from": 0}]},
    ],
    "rewards": [
        {"name": "lounge", "title": "The lounge", "price": 10, "tiers": ["Gold"]},
        {"name": "mug", "title": "A mug", "price": 10},
    ],
    "transfers": {"tiers": ["Blue"]}, "pools": {"contribution_percent": 10},
    "adjustments": {"checker_above": 100, "points_max": 500},
}  # fmt: skip
AUTOMATIC = EnrolSpec(automatic=True)
CLUB = Programme(name="points", spec=msgspec.structs.replace(msgspec.convert(SPEC, ProgrammeSpec), enrol=AUTOMATIC))
KNOWN = {"points": CLUB}
BOUGHT = datetime(2026, 5, 1, 10, tzinfo=UTC)
BEFORE = datetime(2026, 12, 31, 22, 50, tzinfo=UTC)
NEW_YEAR = datetime(2026, 12, 31, 23, 10, tzinfo=UTC)
"""Ten minutes after midnight in Berlin, before the hourly work."""

ADAS = {"profile_id": ADA, "programme": "points"}


class Desk:
    """What is asked of a programme at a time; each answer has a tier."""

    def __init__(self, tx, ids):
        self.tx, self.ids, self.now = tx, ids, BOUGHT
        make_people(tx, ADA, BOB)
        opened = PoolWish(**ADAS, idempotency_key="pool")
        api.enrol(tx, profile_ids=[ADA, BOB], programme=CLUB, now=BOUGHT)
        self.pool_id = api.open_pool(tx, wish=opened, programme=CLUB, now=BOUGHT).pool_id
        self.now += timedelta(minutes=1)
        self.buy("R-0", 90_000)
        events = [
            Event(event_id=1, xid=1, kind=POINTS_EARNED, payload=each, occurred_at=self.now)
            for each in published(tx, POINTS_EARNED)
        ]
        assert api.collect_in_pools(tx, events=events, programmes=[CLUB], now=self.now) == 1

    def redeem(self, *people):
        wishes = [
            Redemption(profile_id=who, programme="points", points=1, idempotency_key=f"r{place}")
            for place, who in enumerate(people or [ADA])
        ]
        return api.redeem_many(self.tx, redemptions=wishes, now=self.now, programmes=KNOWN)[0]

    def hold(self):
        asked = HoldWish(**ADAS, points=1, deadline_at=self.now + timedelta(hours=1), idempotency_key="h")
        return api.hold_many(self.tx, holds=[asked], now=self.now, programmes=KNOWN)[0]

    def capture(self):
        asked = HoldWish(**ADAS, points=1, deadline_at=self.now + timedelta(hours=1), idempotency_key="h")
        [held] = api.hold_many(self.tx, holds=[asked], now=BEFORE)
        ends = [EndWish(hold_id=held.hold_id, idempotency_key="e")]
        return api.end_holds(self.tx, ends=ends, now=self.now, programmes=KNOWN)[0]

    def have(self, reward="mug", *, now=None):
        [told] = api.issue_rewards(
            self.tx, wishes=[RewardWish(**ADAS, reward=reward, idempotency_key=reward)], programmes=KNOWN,
            attributes={}, ids=self.ids, now=now or self.now,
        )  # fmt: skip
        return told

    def cancel(self):
        wishes = [VoucherWish(code=self.have(now=BEFORE).voucher.code, idempotency_key="c")]
        [told] = api.end_vouchers(self.tx, wishes=wishes, verb=VoucherVerb.CANCEL, programmes=KNOWN, now=self.now)
        return told

    def give(self):
        asked = TransferWish(**ADAS, to_profile_id=BOB, points=5, idempotency_key="t")
        return api.transfer(self.tx, wish=asked, programme=CLUB, now=self.now)

    def adjust(self, points=5):
        asked = AdjustmentWish(**ADAS, points=points, reason="a", idempotency_key="a", maker="m")
        return api.adjust(self.tx, wish=asked, programme=CLUB, now=self.now)

    def confirm(self):
        number = self.adjust(points=200).adjustment_id
        return api.confirm(self.tx, adjustment_id=number, checker="c", programme=CLUB, now=self.now)

    def spend_together(self):
        asked = PoolSpending(pool_id=self.pool_id, profile_id=ADA, points=1, idempotency_key="s")
        return api.redeem_from_pool(self.tx, wish=asked, programmes=KNOWN, now=self.now)

    def buy(self, number="R-0", amount=90_000):
        told = api.record_purchases(self.tx, wishes=[wish(number, amount)], programmes=[CLUB], now=self.now)
        return told[0].programmes[0]

    def join(self):
        return api.join(self.tx, profile_id=ADA, programme=CLUB, now=self.now, choose=lambda *_: [])

    def points(self):
        return api.get_points(self.tx, **ADAS, programmes=KNOWN, now=self.now)

    def quote(self):
        return api.quote_redemption(self.tx, **ADAS, points=1, programmes=KNOWN, now=self.now)

    def quote_purchase(self):
        return api.quote_purchase(
            self.tx, profile_id=ADA, programme=CLUB, amount_minor=1, currency="EUR", occurred_at=self.now, now=self.now
        )

    def membership(self):
        found = api.find_members_today(self.tx, profile_ids=[ADA, BOB], programmes=[CLUB], now=self.now)
        return found[ADA][0]


WRITES = ("redeem", "hold", "capture", "have", "cancel", "give", "adjust", "confirm", "spend_together")
READS = ("buy", "join", "points", "quote", "quote_purchase", "membership")


@pytest.fixture
def desk(tx, ids):
    return Desk(tx, ids)


def stored(tx):
    return tx.execute("select tier, tiers_due_on from programme.member where profile_id = %s", (ADA,)).fetchone()


@pytest.mark.parametrize("verb", WRITES)
def test_an_answer_that_moves_points_has_the_tier_of_its_day(tx, desk, verb):
    desk.now = BEFORE
    if verb != "give":
        with tx.transaction(force_rollback=True):
            assert getattr(desk, verb)().tier == "Gold"
    desk.now = NEW_YEAR
    assert getattr(desk, verb)().tier == "Blue"
    assert stored(tx)[0] == "Blue"
    assert [(each["old_tier"], each["new_tier"]) for each in published(tx, TIER_CHANGED)][1:] == [("Gold", "Blue")]
    api.recompute_tiers(tx, programme=CLUB, now=NEW_YEAR)
    assert len(published(tx, TIER_CHANGED)) == 2


@pytest.mark.parametrize("verb", READS)
def test_reading_shows_it_and_writes_nothing(tx, desk, verb):
    before = stored(tx)
    for desk.now, tier in ((BEFORE, "Gold"), (NEW_YEAR, "Blue")):
        assert getattr(desk, verb)().tier == tier
    assert stored(tx) == before


def test_a_membership_has_it_since_the_day_began(desk):
    desk.now = NEW_YEAR
    told = desk.membership()
    assert (told.tier_since, told.qualifying_points) == (NEW_YEAR - timedelta(minutes=10), 0)


def test_all_of_a_batch_are_looked_after_at_once(tx, desk):
    desk.now = BOUGHT + timedelta(days=1)
    api.record_purchases(tx, wishes=[wish("R-1", 90_000, by=BOB)], programmes=[CLUB], now=desk.now)
    desk.now = NEW_YEAR
    desk.redeem(ADA, BOB, ADA)
    assert {each["profile_id"]: each["new_tier"] for each in published(tx, TIER_CHANGED)} == {
        str(ADA): "Blue", str(BOB): "Blue"
    }  # fmt: skip


def test_rights_follow_it(tx, desk):
    def offered():
        told = api.list_rewards(tx, profile_id=ADA, programme=CLUB, attributes={}, now=desk.now)
        return [each.name for each in told if each.is_available]

    desk.now = BEFORE
    assert offered() == ["lounge", "mug"]
    with pytest.raises(TransferRefused):
        desk.give()
    desk.now = NEW_YEAR
    assert offered() == ["mug"]
    assert isinstance(desk.have("lounge"), RewardRefused)
    assert desk.give().balance == 900 - 90 - 5


def test_who_is_in_a_programme_that_nobody_defines_stays_as_they_are(tx, desk):
    desk.now = NEW_YEAR
    for programmes in ({}, None):
        assert api.get_points(tx, **ADAS, programmes=programmes, now=desk.now).tier == "Gold"
    assert api.find_members_today(tx, profile_ids=[ADA], programmes=[], now=desk.now)[ADA][0].tier == "Gold"
