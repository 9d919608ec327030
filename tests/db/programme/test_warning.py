"""Members hear in time of points that are about to expire, once for each warning."""

from datetime import date, timedelta

import pytest

from comity.activity import api as activity
from comity.activity.types import ProfileMove
from comity.programme import api, parting
from comity.programme.types import POINTS_EXPIRING
from tests.db.programme.test_api import ADA, BOB, published
from tests.db.programme.test_following import BOUGHT, Till, club
from tests.lifetimes import list_warnings

WARN_DAYS = [3, 20, 8]
LONG, SHORT = ({"kind": "rolling", "after": {"days": days}} for days in (45, 30))
RULES = [
    {"name": "long", "rate": {"points": 1, "per_minor": 100}, "expiry": LONG},
    {"name": "short", "fixed": 5, "expiry": SHORT},
]


@pytest.fixture
def shop(tx):
    return Till(tx, club(*RULES, points=[{"name": "p", "warn_days": WARN_DAYS, "expiry": LONG}]))


def run(tx, shop, days):
    """Do what the housekeeping does on a day, twice; return what is told."""
    seen = len(published(tx, POINTS_EXPIRING))
    now = BOUGHT + timedelta(days=days)
    for _ in range(2):
        while api.expire_points(tx, programme=shop.programme, now=now):
            pass
        while api.warn_of_expiry(tx, programme=shop.programme, now=now, limit_max=1):
            pass
    return published(tx, POINTS_EXPIRING)[seen:]


def test_comes_on_the_days_the_engine_names(tx, shop):
    for number, days in ((1, 0), (2, 4), (3, 4)):
        shop.sell(number, 1_000 * number, days=days)
    told = {}
    for days in range(60):
        for each in run(tx, shop, days):
            on = BOUGHT.date() + timedelta(days=days)
            group = told.setdefault(date.fromisoformat(each["expires_on"]), ([], []))
            group[0].append(on)
            group[1].append(each["points"])
            assert each["days_left"] == each["warn_days"] in WARN_DAYS
            assert (each["profile_id"], each["programme"]) == (str(ADA), "club")
    points = {45: 10, 49: 50, 30: 5, 34: 10}
    wanted = {BOUGHT.date() + timedelta(days=days): [amount] * 3 for days, amount in points.items()}
    assert {expires_on: amounts for expires_on, (_, amounts) in told.items()} == wanted
    assert all(tuple(days) == list_warnings(each, WARN_DAYS) for each, (days, _) in told.items())
    assert tx.execute("select count(*) from programme.expiry_warning").fetchone() == (0,)


def test_what_is_late_is_warned_of_once_and_what_is_spent_not_at_all(tx, shop):
    shop.sell(1, 1_000)
    assert [(each["points"], each["days_left"], each["warn_days"]) for each in run(tx, shop, 25)] == [
        (5, 5, 8),
        (10, 20, 20),
    ]
    shop.sell(2, 700, days=20, now=BOUGHT + timedelta(days=26))
    shop.spend(9, now=BOUGHT + timedelta(days=26))
    assert [(each["points"], each["days_left"]) for each in run(tx, shop, 27)] == []
    assert [(each["points"], each["days_left"], each["warn_days"]) for each in run(tx, shop, 37)] == [
        (6, 8, 8),
        (5, 13, 20),
    ]


def test_who_was_warned_is_not_warned_again_of_lots_that_move_by_a_merge_or_its_undoing(tx, shop):
    for number, person in enumerate((ADA, BOB), 1):
        tx.execute("insert into identity.profile values (%s, %s, null, now())", [person, number])
    api.enrol(tx, profile_ids=[BOB], programme=shop.programme, now=BOUGHT)
    shop.sell(1, 1_000)
    assert len(run(tx, shop, 25)) == 2
    merged = [ProfileMove(loser_profile_id=ADA, survivor_profile_id=BOB)]
    tx.execute("update identity.profile set merged_into = %s where profile_id = %s", [BOB, ADA])
    activity.reassign_profiles(tx, moves=merged)
    api.merge_members(tx, moves=merged, programmes=[shop.programme], now=BOUGHT)
    assert run(tx, shop, 26) == []
    assert [(each["points"], each["profile_id"]) for each in run(tx, shop, 27)] == [(5, str(BOB))]
    tx.execute("update identity.profile set merged_into = null where profile_id = %s", [ADA])
    activity.reassign_profiles(tx, moves=[ProfileMove(loser_profile_id=BOB, survivor_profile_id=ADA)])
    parting.part_members(tx, profile_ids=[ADA], programmes=[shop.programme], now=BOUGHT)
    assert run(tx, shop, 28) == []
    assert [(each["points"], each["profile_id"]) for each in run(tx, shop, 37)] == [(10, str(ADA))]


def test_nobody_is_warned_where_the_programme_does_not_say_so(tx):
    shop = Till(tx, club(*RULES, points=[{"name": "p", "expiry": LONG}]))
    shop.sell(1, 1_000)
    assert run(tx, shop, 29) == []
