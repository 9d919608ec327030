"""Simulations on several processes come to what one process comes to; what was given and taken by hand is in them."""

from datetime import timedelta
from uuid import UUID

import msgspec

from comity.definitions.types import ProgrammeSpec
from comity.programme import api
from comity.programme.api import History, Trial
from comity.programme.wishes import AdjustmentWish
from tests.db.programme.test_api import ADA
from tests.db.programme.test_following import BOUGHT as BEGIN
from tests.db.programme.test_following import Till
from tests.db.programme.test_following import club as till_club
from tests.db.programme.test_simulating import FIRST, LADDER, MILES, ON, load

GOLD = {"name": "gold", "multiplier_percent": 300, "tiers": ["Gold"]}
RICHER = msgspec.convert(
    msgspec.to_builtins(MILES) | {"tiers": LADDER | {"window_days": 60}, "earning_rules": [GOLD]}, ProgrammeSpec
)


def test_two_processes_come_to_what_one_comes_to(database):
    """Members are parted among them; sums, tiers, months and the largest gains are put together again."""
    with database.transaction() as tx:
        bought = [
            (UUID(int=person), FIRST + timedelta(days=day), person * 1_000 + day, "EUR")
            for person in range(1, 40)
            for day in (0, 5, 20)
        ]
        load(tx, bought)
    trial = Trial(programme="club", running=MILES, proposed=RICHER, on=ON, top_count=5)
    history = History(programme="club", until=trial.until)
    told: list[int] = []
    found = api.simulate_on_processes(database, trial=trial, history=history, processes=2, told=told.append)
    with database.transaction() as tx:
        assert found == api.simulate(tx, trial=trial, history=history)
    assert (found.member_count, found.purchase_count, sum(told)) == (39, 117, 117)
    assert found.winners.member_count and found.running != found.proposed


def test_points_given_and_taken_by_hand_are_so_by_both_versions(tx):
    """They live as points that are earned that day, by each version, and nobody is given more by one of them."""
    alone = {"checker_above": 1_000}
    expiry = {"kind": "rolling", "after": {"days": 10}}
    shop = Till(tx, till_club(points=[{"name": "p", "expiry": expiry}], adjustments=alone))
    shop.sell(1, 5_000)
    for points, days in ((40, 3), (-70, 5), (25, 6)):
        wish = AdjustmentWish(
            profile_id=ADA, programme="club", points=points, reason="Ticket", idempotency_key=f"a{days}", maker="Mara"
        )
        api.adjust(tx, wish=wish, programme=shop.programme, now=BEGIN + timedelta(days=days))
    api.adjust(
        tx,
        wish=msgspec.structs.replace(wish, points=9, idempotency_key="later"),
        programme=shop.programme,
        now=BEGIN + timedelta(days=20),
    )
    today = BEGIN + timedelta(days=14)
    api.expire_points(tx, programme=shop.programme, now=today)
    running = shop.programme.spec
    longer = [{"name": "p", "expiry": {"kind": "never"}}]
    poorer = till_club({"name": "base", "rate": {"points": 1, "per_minor": 500}}, points=longer).spec
    trial = Trial(programme="club", running=running, proposed=poorer, on=today.date())
    found = api.simulate(tx, trial=trial, history=History(programme="club", until=trial.until))
    figures = found.running
    assert (figures.points_issued, figures.points_adjusted, figures.points_redeemed) == (50, -5, 0)
    assert (figures.points_expired, figures.points_open, figures.points_short) == (20, shop.member.points - 9, 0)
    figures = found.proposed
    assert (figures.points_issued, figures.points_adjusted, figures.points_short) == (10, 40 - 50 + 25, 20)
    assert (figures.points_expired, figures.points_open) == (0, 25)
    assert found.losers.largest[0].points == -40
