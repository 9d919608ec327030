"""Several kinds of points in one programme: each has accounts, lots and books of its own."""

from datetime import timedelta

import msgspec
import pytest

from comity.definitions.types import ProgrammeSpec
from comity.ledger import api as ledger
from comity.ledger.types import AccountKind
from comity.programme import api
from comity.programme.kinds import KindMoved, KindNotSpendable, UnknownKind
from comity.programme.types import (
    MEMBERS_MERGED,
    POINTS_EARNED,
    POINTS_EXPIRED,
    POINTS_EXPIRING,
    POINTS_REDEEMED,
    InsufficientPoints,
    KeyReused,
    Programme,
    Redemption,
    RedemptionStatus,
)
from comity.programme.vouchers import RewardWish
from comity.programme.wishes import AdjustmentWish, EndWish, HoldWish, TransferRefused, TransferWish
from tests.db.programme.test_api import ADA, BOB, EVE, check_books, published, purchase
from tests.db.programme.test_referrals import Shop

SPEC = {
    "title": "Club", "currency": "EUR",
    "points": [
        {"name": "coins", "qualifying": False, "expiry": {"kind": "rolling", "after": {"days": 60}}, "warn_days": [10]},
        {"name": "status", "spendable": False},
        {"name": "stars", "expiry": {"kind": "rolling", "after": {"days": 30}}, "warn_days": [5]},
    ],
    "earning_rules": [
        {"name": "base", "rate": {"points": 1, "per_minor": 100}},
        {"name": "nights", "points": "status", "fixed": 40},
        {"name": "sky", "points": "stars", "fixed": 9, "pending": {"days": 2}},
    ],
    "ladders": [
        {"name": "level", "points": "status", "levels": [{"name": "Blue", "from": 0}, {"name": "Gold", "from": 80}]}
    ],
    "rewards": [
        {"name": "mug", "title": "A mug", "price": 10},
        {"name": "moon", "title": "The moon", "price": 5, "points": "stars"},
    ],
    "transfers": {"points": "stars"}, "adjustments": {"checker_above": 1000},
    "returns": {"policy": "allow_negative"},
}  # fmt: skip
CLUB = Programme(name="club", spec=msgspec.convert(SPEC, ProgrammeSpec))
UNITS = {"coins": "club", "status": "club.status", "stars": "club.stars"}


@pytest.fixture
def now(tx, clock):
    api.enrol(tx, profile_ids=[ADA, BOB], programme=CLUB, now=clock.now())
    yield clock.now()
    check_books(tx)


def buy(tx, now, *numbers, person=ADA):
    bought = [purchase(number, person, occurred_at=now) for number in numbers]
    return api.earn_for_purchases(tx, purchases=bought, programmes=[CLUB], now=now)


def has(tx, person=ADA, programme="club"):
    member = api.get_member(tx, profile_id=person, programme=programme)
    told = {kind: (each.points, each.pending) for kind, each in member.kinds.items()}
    assert told["coins"] == (member.points, member.pending)
    return told


def outstanding(tx):
    """Members hold, kind by kind, what the programme owes; told from the entries alone."""
    rows = {(row.unit, row.kind): row.balance for row in ledger.trial_balance(tx)}
    assert all(
        rows.get((unit, AccountKind.MEMBER), 0)
        == -sum(balance for (of, kind), balance in rows.items() if of == unit and kind is not AccountKind.MEMBER)
        for unit in UNITS.values()
    )
    return {kind: rows.get((unit, AccountKind.MEMBER), 0) for kind, unit in UNITS.items()}


def redeem(tx, now, points, key, **more):
    return api.redeem(tx, profile_id=ADA, programme="club", points=points, idempotency_key=key, now=now, **more)


def test_a_purchase_earns_every_kind_and_the_ladder_follows_its_own(tx, now):
    [earned] = buy(tx, now, 1)
    assert (earned.points, earned.further_points) == (100, {"status": 40, "stars": 9})
    assert has(tx) == {"coins": (100, 0), "stars": (0, 9), "status": (40, 0)}
    told = {each["kind"]: each["points"] for each in published(tx, POINTS_EARNED)}
    assert told == {"coins": 100, "status": 40, "stars": 9}
    assert outstanding(tx) == {"coins": 100, "status": 40, "stars": 9}
    assert buy(tx, now, 1) == []
    buy(tx, now, 2)
    member = api.get_member(tx, profile_id=ADA, programme="club")
    assert (member.tier, member.qualifying_points, member.points) == ("Gold", 80, 200)
    [told] = api.get_progress(tx, profile_id=ADA, programme=CLUB, now=now)
    assert (told.level, told.points) == ("Gold", 80)


def test_each_is_spent_of_its_own(tx, now):
    buy(tx, now, 1)
    later = now + timedelta(days=3)
    api.release_points(tx, programme=CLUB, now=later)
    done = redeem(tx, later, 30, "a")
    assert (done.balance, has(tx)["coins"]) == (70, (70, 0))
    done = redeem(tx, later, 4, "b", kind="stars")
    assert (done.balance, done.is_duplicate) == (5, False)
    assert redeem(tx, later, 4, "b", kind="stars").is_duplicate
    assert redeem(tx, later, 30, "a", kind="coins").is_duplicate
    with pytest.raises(KeyReused):
        redeem(tx, later, 30, "a", kind="stars")
    with pytest.raises(InsufficientPoints):
        redeem(tx, later, 6, "c", kind="stars")
    assert [(each["kind"], each["points"], each["balance"]) for each in published(tx, POINTS_REDEEMED)] == [
        ("coins", 30, 70),
        ("stars", 4, 5),
    ]
    told = api.quote_redemption(tx, profile_id=ADA, programme="club", points=6, kind="stars", now=later)
    assert (told.is_possible, told.spendable, told.points_missing) == (False, 5, 1)
    lines = api.list_statement(
        tx, profile_id=ADA, programme="club", kind="stars", before_transfer_id=None, limit_max=9, now=later
    )
    assert [each.amount for each in lines] == [-4, 9]
    assert outstanding(tx) == {"coins": 70, "status": 40, "stars": 5}


def test_unknown_kinds_and_kinds_that_only_qualify_are_refused(tx, now):
    buy(tx, now, 1)
    with pytest.raises(UnknownKind) as error:
        redeem(tx, now, 1, "a", kind="moons")
    assert error.value.details["kind"] == "moons"
    with pytest.raises(KindNotSpendable):
        redeem(tx, now, 1, "a", kind="status")
    with pytest.raises(KindNotSpendable):
        api.quote_redemption(tx, profile_id=ADA, programme="club", points=6, kind="status", now=now)
    wishes = [
        Redemption(profile_id=ADA, programme="club", points=5, kind=kind, idempotency_key=key)
        for kind, key in [("status", "1"), (None, "2"), ("moons", "3"), ("coins", "4")]
    ]
    assert [each.status for each in api.redeem_many(tx, redemptions=wishes, now=now)] == [
        RedemptionStatus.KIND_NOT_SPENDABLE,
        RedemptionStatus.REDEEMED,
        RedemptionStatus.UNKNOWN_KIND,
        RedemptionStatus.REDEEMED,
    ]
    hold = HoldWish(
        profile_id=ADA, programme="club", points=1, kind="status", deadline_at=now + timedelta(hours=1),
        idempotency_key="h",
    )  # fmt: skip
    [answer] = api.hold_many(tx, holds=[hold], now=now)
    assert isinstance(answer, KindNotSpendable)
    # Who never had any has none to spend.
    with pytest.raises(InsufficientPoints):
        api.redeem(tx, profile_id=BOB, programme="club", points=1, kind="stars", idempotency_key="b", now=now)


def test_holds_transfers_adjustments_and_rewards_name_their_kind(tx, ids, now):
    buy(tx, now, 1)
    later = now + timedelta(days=3)
    api.release_points(tx, programme=CLUB, now=later)
    wish = HoldWish(
        profile_id=ADA, programme="club", points=3, kind="stars", deadline_at=later + timedelta(hours=1),
        idempotency_key="h",
    )  # fmt: skip
    [held] = api.hold_many(tx, holds=[wish], now=later)
    assert (held.balance, has(tx)["stars"], has(tx)["coins"]) == (6, (6, 0), (100, 0))
    [ended] = api.end_holds(tx, ends=[EndWish(hold_id=held.hold_id, points=2, idempotency_key="e")], now=later)
    assert (ended.captured, ended.released, ended.balance) == (2, 1, 7)
    [held] = api.hold_many(tx, holds=[msgspec.structs.replace(wish, idempotency_key="h2")], now=later)
    assert api.time_out_holds(tx, programme=CLUB, now=later + timedelta(hours=2)) == 1
    assert has(tx)["stars"] == (7, 0)
    gift = TransferWish(profile_id=ADA, to_profile_id=BOB, programme="club", points=1, idempotency_key="t")
    assert api.transfer(tx, wish=gift, programme=CLUB, now=later).balance == 6
    assert has(tx, BOB) == {"coins": (0, 0), "stars": (1, 0), "status": (0, 0)}
    with pytest.raises(TransferRefused):
        api.transfer(
            tx, wish=msgspec.structs.replace(gift, kind="coins", idempotency_key="u"), programme=CLUB, now=later
        )
    made = AdjustmentWish(
        profile_id=ADA, programme="club", points=20, kind="status", reason="Moved", idempotency_key="j", maker="Mara"
    )
    assert api.adjust(tx, wish=made, programme=CLUB, now=later).balance == 60
    assert api.adjust(tx, wish=made, programme=CLUB, now=later).kind == "status"
    [offer] = [
        each
        for each in api.list_rewards(tx, profile_id=ADA, programme=CLUB, attributes={}, now=later)
        if each.name == "moon"
    ]
    assert (offer.kind, offer.is_available) == ("stars", True)
    wish = RewardWish(profile_id=ADA, programme="club", reward="moon", idempotency_key="r")
    [had] = api.issue_rewards(tx, wishes=[wish], programmes={"club": CLUB}, attributes={}, ids=ids, now=later)
    assert (had.balance, had.voucher.kind, has(tx)["coins"]) == (1, "stars", (100, 0))
    back = api.VoucherWish(code=had.voucher.code, idempotency_key="v")
    [told] = api.end_vouchers(tx, wishes=[back], verb=api.VoucherVerb.CANCEL, programmes={"club": CLUB}, now=later)
    assert told.balance == 6
    assert outstanding(tx) == {"coins": 100, "status": 60, "stars": 7}


def test_each_expires_by_its_own_rule_and_is_warned_of(tx, now):
    buy(tx, now, 1)
    api.release_points(tx, programme=CLUB, now=now + timedelta(days=3))
    assert api.warn_of_expiry(tx, programme=CLUB, now=now + timedelta(days=26)) == 1
    assert api.expire_points(tx, programme=CLUB, now=now + timedelta(days=30)) == 1
    assert has(tx) == {"coins": (100, 0), "stars": (0, 0), "status": (40, 0)}
    assert api.warn_of_expiry(tx, programme=CLUB, now=now + timedelta(days=51)) == 1
    assert api.expire_points(tx, programme=CLUB, now=now + timedelta(days=60)) == 1
    assert [(each["kind"], each["points"]) for each in published(tx, POINTS_EXPIRING)] == [("stars", 9), ("coins", 100)]
    assert [(each["kind"], each["points"]) for each in published(tx, POINTS_EXPIRED)] == [("stars", 9), ("coins", 100)]
    assert has(tx) == {"coins": (0, 0), "stars": (0, 0), "status": (40, 0)}


def test_points_of_a_member_are_told_kind_by_kind(tx, now):
    buy(tx, now, 1)
    told = api.get_points(tx, profile_id=ADA, programme="club", now=now)
    assert (told.balance, told.spendable, [each.points for each in told.lots]) == (100, 100, [100])
    assert {kind: (each.balance, each.spendable, each.pending) for kind, each in told.kinds.items()} == {
        "coins": (100, 100, 0),
        "status": (40, 0, 0),
        "stars": (9, 0, 9),
    }
    told = api.get_points(tx, profile_id=BOB, programme="club", now=now)
    assert {kind: each.balance for kind, each in told.kinds.items()} == {"coins": 0, "status": 0, "stars": 0}
    told = api.quote_purchase(
        tx, profile_id=ADA, programme=CLUB, amount_minor=10_000, currency="EUR", occurred_at=now, now=now
    )
    assert (told.points, told.kinds) == (100, {"coins": 100, "status": 40, "stars": 9})
    assert [(each.kind, each.points) for each in told.lots] == [("coins", 100), ("status", 40), ("stars", 9)]


def test_a_programme_may_get_a_kind_later(tx, now):
    one = Programme(
        name="one",
        spec=msgspec.convert(
            {
                **SPEC,
                "points": SPEC["points"][:1],
                "earning_rules": SPEC["earning_rules"][:1],
                "ladders": [],
                "transfers": None,
                "rewards": [],
            },
            ProgrammeSpec,
        ),
    )
    api.enrol(tx, profile_ids=[ADA], programme=one, now=now)
    bought = [purchase(7, occurred_at=now), purchase(8, occurred_at=now)]
    api.earn_for_purchases(tx, purchases=bought[:1], programmes=[one], now=now)
    assert api.get_member(tx, profile_id=ADA, programme="one").kinds == {}
    more = Programme(name="one", spec=CLUB.spec)
    api.earn_for_purchases(tx, purchases=bought, programmes=[more], now=now)
    assert has(tx, programme="one") == {"coins": (200, 0), "stars": (0, 9), "status": (40, 0)}
    turned = Programme(name="one", spec=msgspec.structs.replace(CLUB.spec, points=CLUB.spec.points[::-1]))
    with pytest.raises(KindMoved):
        api.open_programme(tx, programme=turned, now=now)


def test_an_only_kind_may_get_another_name(tx, now):
    spec = {"title": "One", "currency": "EUR", "earning": {"points_per_unit": 1, "unit_minor": 100}}
    versions = [
        Programme(name="one", spec=msgspec.convert(spec | points, ProgrammeSpec), version=number)
        for number, points in enumerate(({}, {"points": [{"name": "coins"}]}), start=1)
    ]
    api.enrol(tx, profile_ids=[ADA], programme=versions[0], now=now)
    bought = [purchase(7, occurred_at=now), purchase(8, occurred_at=now)]
    for version, told in zip(versions, bought, strict=True):
        api.open_programme(tx, programme=version, now=now)
        api.earn_for_purchases(tx, purchases=[told], programmes=[version], now=now)
    bought_points = api.get_member(tx, profile_id=ADA, programme="one").points
    done = api.redeem(tx, profile_id=ADA, programme="one", points=bought_points - 50, idempotency_key="r", now=now)
    assert (bought_points, done.balance) == (200, 50)


def test_a_referral_gives_its_kind_and_merging_moves_all(tx):
    """Bought, brought, spent, merged, parted and returned: each kind by itself, and nothing of it lost."""
    spec = {
        **SPEC, "points": [{"name": "coins"}, {"name": "status", "spendable": False}, {"name": "stars"}],
        "referral": {"advocate_points": 500, "friend_points": 250, "points": "stars", "matures_days": 35},
    }  # fmt: skip
    club = Programme(name="club", spec=msgspec.convert(spec, ProgrammeSpec))
    shop = Shop(tx, club)
    shop.refer()
    shop.sell(1, friend=BOB)
    shop.sell(2, friend=EVE)
    shop.wait(36)
    api.release_points(tx, programme=club, now=shop.now)
    assert has(tx) == {"coins": (0, 0), "stars": (500, 0), "status": (0, 0)}
    both = {"coins": (50, 0), "stars": (9, 0), "status": (40, 0)}
    assert has(tx, BOB) == both | {"stars": (259, 0)}
    assert has(tx, EVE) == both
    shop.merge(EVE, BOB)
    assert has(tx, BOB) == {"coins": (100, 0), "stars": (268, 0), "status": (80, 0)}
    assert api.get_member(tx, profile_id=BOB, programme="club").tier == "Gold"
    [told] = published(tx, MEMBERS_MERGED)
    assert (told["points"], told["further_points"]) == (50, {"stars": 9, "status": 40})
    api.redeem(tx, profile_id=BOB, programme="club", points=8, kind="stars", idempotency_key="x", now=shop.now)
    shop.part(EVE, BOB)
    # What was bought is Eve's now, and who spent pays from what the referral gave.
    assert has(tx, EVE) == {"coins": (100, 0), "stars": (18, 0), "status": (80, 0)}
    assert has(tx, BOB) == {"coins": (0, 0), "stars": (250 - 8, 0), "status": (0, 0)}
    assert [api.get_member(tx, profile_id=each, programme="club").tier for each in (EVE, BOB)] == ["Gold", "Blue"]
    shop.take_back(1)
    assert has(tx, EVE) == both
    assert outstanding(tx) == {"coins": 50, "status": 40, "stars": 500 + 250 + 9 - 8}
    check_books(tx)
