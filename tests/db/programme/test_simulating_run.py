"""Simulations on several processes come to what one process comes to."""

from datetime import timedelta
from uuid import UUID

import msgspec

from comity.definitions.types import ProgrammeSpec
from comity.programme import api
from comity.programme.api import History, Trial
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
