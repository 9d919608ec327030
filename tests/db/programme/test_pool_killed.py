"""`kill -9` between any two statements of what is done with a pool; see test_killed."""

import pytest

from comity.ledger import api as ledger
from comity.ledger import store
from tests.db.programme.pool_world import World
from tests.db.programme.test_killed import count_statements, kill_at

VERBS = {
    "open": [],
    "join": [],
    "collect": [],
    "draw": [],
    "leave": ["collect"],
    "leave_last": ["leave"],
    "end": ["collect", "draw"],
    "take_back": ["draw"],
    "slide": [],
    "expire": [],
    "part": ["draw"],
}
"""Each with what came before it."""


def make(database, verb, name):
    with database.transaction() as tx:
        world = World(tx, name)
        for before in VERBS[verb]:
            getattr(world, before)(tx)
    return world


def sweep(database, verb, monkeypatch, choose):
    whole, other = (make(database, verb, name) for name in ("whole", "before"))
    total = count_statements(database, whole, verb, monkeypatch)
    with database.transaction() as tx:
        before, expected = other.picture(tx), whole.picture(tx)
    assert expected != before
    for last in choose(total):
        world = make(database, verb, f"n{last}")
        kill_at(database, world, verb, last)
        with database.transaction() as tx:
            assert world.picture(tx) == (expected if last > total else before)
        with database.transaction() as tx:
            getattr(world, verb)(tx)
        with database.transaction() as tx:
            assert world.picture(tx) == expected, f"killed before statement {last + 1} of {total}"
    with database.transaction() as tx:
        assert store.find_imbalance(tx) == store.find_unlotted(tx) == []
        assert sum(row.balance for row in ledger.trial_balance(tx)) == 0


@pytest.mark.parametrize("verb", VERBS)
def test_killed_here_and_there_nothing_is_stuck_or_lost(database, monkeypatch, verb):
    sweep(database, verb, monkeypatch, lambda total: (total * 2 // 3, total, total + 1))


@pytest.mark.soak
@pytest.mark.parametrize("verb", VERBS)
def test_killed_between_any_two_statements_nothing_is_stuck_or_lost(database, monkeypatch, verb):
    sweep(database, verb, monkeypatch, lambda total: range(total + 2))
