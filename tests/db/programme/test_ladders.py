"""Several ladders, with windows, validity and ways down: what purchases, quotes, transfers and events make of them."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from comity.definitions.types import ProgrammeSpec
from comity.programme import api
from comity.programme.types import TIER_CHANGED, Programme
from comity.programme.wishes import TransferRefused, TransferWish
from tests.db.programme.test_api import ADA, BOB, published, purchase

SPEC = {
    "title": "Club", "currency": "EUR", "timezone": "Europe/Berlin", "enrol": {"automatic": True},
    "earning": {"points_per_unit": 1, "unit_minor": 100},
    "earning_rules": [{"name": "stars", "multiplier_percent": 200, "when": "tier.life = 'Star'"}],
    "ladders": [
        {"name": "level", "window": {"kind": "calendar"}, "downgrade": "one_level",
         "levels": [{"name": "Blue", "from": 0}, {"name": "Silver", "from": 100},
                    {"name": "Gold", "from": 300, "keep_from": 250}]},
        {"name": "life", "window": {"kind": "lifetime"},
         "levels": [{"name": "Guest", "from": 0}, {"name": "Star", "from": 400}]},
    ],
    "transfers": {"tiers": ["Star"]},
}  # fmt: skip
CLUB = Programme(name="points", spec=msgspec.convert(SPEC, ProgrammeSpec), version=1)


def at(day):
    return datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=UTC)


def buy(tx, number, euros, day, who=ADA):
    told = purchase(number, who, euros * 100, occurred_at=at(day))
    [earned] = api.earn_for_purchases(tx, purchases=[told], programmes=[CLUB], now=at(day))
    return earned.points


def levels(tx, day):
    """The tier after the work of a day, as the progress on both ladders tells it, too."""
    api.recompute_tiers(tx, programme=CLUB, now=at(day))
    told = api.get_progress(tx, profile_id=ADA, programme=CLUB, now=at(day))
    assert told[0].level == api.get_member(tx, profile_id=ADA, programme="points").tier
    return [each.level for each in told]


def test_levels_rise_at_once_and_land_softly(tx):
    buy(tx, 1, 300, "2026-05-01")
    assert levels(tx, "2026-12-31") == ["Gold", "Guest"]
    assert levels(tx, "2027-12-31") == ["Gold", "Guest"]
    assert levels(tx, "2028-01-01") == ["Silver", "Guest"]
    buy(tx, 2, 100, "2028-03-01")
    assert [levels(tx, day)[0] for day in ("2029-12-31", "2030-01-01")] == ["Silver", "Blue"]
    assert [(each["ladder"], each["new_tier"]) for each in published(tx, TIER_CHANGED)] == [
        ("level", "Gold"), ("level", "Silver"), ("life", "Star"), ("level", "Blue")
    ]  # fmt: skip


def test_rules_and_quotes_ask_for_the_level_of_a_further_ladder(tx):
    assert [buy(tx, 1, 300, "2026-05-01"), buy(tx, 2, 100, "2026-05-02")] == [300, 100]
    for day, points in (("2026-05-01", 50), ("2026-05-03", 100)):
        told = api.quote_purchase(
            tx, profile_id=ADA, programme=CLUB, amount_minor=5_000, currency="EUR", occurred_at=at(day), now=at(day)
        )
        assert told.points == points
    assert buy(tx, 3, 50, "2026-05-03") == 100


def test_transfers_ask_for_levels_of_any_ladder(tx):
    api.enrol(tx, profile_ids=[BOB], programme=CLUB, now=at("2026-05-01"))

    def give(key):
        wish = TransferWish(
            profile_id=ADA, to_profile_id=BOB, programme="points", points=10, idempotency_key=key, reason="gift"
        )
        return api.transfer(tx, wish=wish, programme=CLUB, now=at("2026-05-02") + timedelta(hours=1))

    buy(tx, 1, 300, "2026-05-01")
    with pytest.raises(TransferRefused):
        give("a")
    buy(tx, 2, 100, "2026-05-02")
    assert give("b").tier == "Gold"
