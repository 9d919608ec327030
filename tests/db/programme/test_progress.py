"""What is told of tiers and purchases is what will be done."""

import random
from datetime import timedelta

import pytest

from comity.programme import api, jobs
from tests.chance import seeds
from tests.db.programme.test_api import ADA, POINTS, programme, published, purchase

DAY = timedelta(days=1)


def tier_on(tx, moment):
    """The tier the daily job gives at a time; what is told then must be the same."""
    jobs.recompute_tiers(tx, programme=POINTS, now=moment)
    [told] = api.get_progress(tx, profile_id=ADA, programme=POINTS, now=moment)
    tier = api.get_member(tx, profile_id=ADA, programme="points").tier
    assert told.level == tier
    return tier, told


@pytest.mark.parametrize("seed", seeds(*range(4), soak=200))
def test_tiers_are_told_as_the_daily_job_gives_them(tx, clock, seed):
    dice, now = random.Random(seed), clock.now()
    api.enrol(tx, profile_ids=[ADA], programme=POINTS, now=now - 800 * DAY)
    bought = [
        purchase(number, amount=dice.randrange(1, 40_000), occurred_at=now - dice.randrange(700) * DAY)
        for number in range(1, 9)
    ]
    api.earn_for_purchases(tx, purchases=bought, programmes=[POINTS], now=now)
    tier, told = tier_on(tx, now)
    if told.lift is not None:
        with tx.transaction(force_rollback=True):
            missing = purchase(99, amount=told.lift.points_missing * 100, occurred_at=now)
            api.earn_for_purchases(tx, purchases=[missing], programmes=[POINTS], now=now)
            assert tier_on(tx, now)[0] == told.lift.level
    falls_in = (told.keep.falls_on - told.on).days if told.keep is not None else 9_999
    for each in sorted({0, 1, 364, 365, falls_in - 1, falls_in, *(dice.randrange(500) for _ in range(6))}):
        level = tier_on(tx, now + each * DAY)[0]
        assert each >= falls_in or level == tier
        assert each != falls_in or told.keep is None or level == told.keep.falls_to


@pytest.mark.parametrize(("amount", "currency"), [(12_345, "EUR"), (99, "EUR"), (-500, "EUR"), (500, "USD")])
def test_a_quote_is_what_is_earned(tx, clock, amount, currency):
    now = clock.now()
    api.enrol(tx, profile_ids=[ADA], programme=POINTS, now=now)
    before = published(tx, "programme.points_earned")
    told = api.quote_purchase(
        tx, profile_id=ADA, programme=POINTS, amount_minor=amount, currency=currency, occurred_at=now, now=now
    )
    assert published(tx, "programme.points_earned") == before
    [earned] = api.earn_for_purchases(
        tx, purchases=[purchase(1, amount=amount, currency=currency, occurred_at=now)], programmes=[POINTS], now=now
    )
    assert (told.points, told.outcome) == (earned.points, earned.outcome)
    assert sum(each.points for each in told.lots) == told.points


def test_of_a_programme_without_tiers_nothing_is_told(tx, clock):
    plain = programme("stars", tiers=None)
    api.enrol(tx, profile_ids=[ADA], programme=plain, now=clock.now())
    assert api.get_progress(tx, profile_id=ADA, programme=plain, now=clock.now()) == []
