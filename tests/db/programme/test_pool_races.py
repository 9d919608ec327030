"""What is done with a pool at once. Who stops where is chosen, not left to luck.

One stops before one of its statements, with all that it has locked. The other begins, and goes as far as it gets: to
its end, or to a lock that the first has. Then the first goes on. Nobody may wait in a circle, and both must have
happened.
"""

from threading import Event, Thread

import psycopg
import pytest

from comity.ledger import api as ledger
from comity.ledger import store
from comity.programme import api, store_pools
from comity.programme.pools import PoolSpending
from comity.programme.types import InsufficientPoints
from tests.db.ledger.test_races import at_once
from tests.db.programme.pool_world import NOW, World
from tests.db.programme.test_api import check_books

WAIT = 120
"""Seconds nobody should need."""


WATCHERS = {}


class Stopping(psycopg.Cursor):
    """A cursor that tells its connection's watcher of each statement."""

    def execute(self, query, *args, **kwargs):
        WATCHERS.get(self.connection.info.backend_pid, lambda _: None)(str(query))
        return super().execute(query, *args, **kwargs)


class Actor(Thread):
    """Does one verb in a transaction of its own."""

    def __init__(self, database, world, verb):
        super().__init__(daemon=True)
        self.connection = database.connect()
        self.connection.cursor_factory = Stopping
        self.pid = self.connection.info.backend_pid
        self.world, self.verb = world, verb
        self.count, self.former, self.failure = 0, None, None
        self.stop_at = -1
        self.stopped, self.go = Event(), Event()
        WATCHERS[self.pid] = self.step

    def step(self, query):
        """Stand before the n-th statement, or before the one that follows a certain one."""
        if self.stop_at in {self.count, self.former}:
            self.stopped.set()
            assert self.go.wait(WAIT)
        self.former = self.stop_at if isinstance(self.stop_at, str) and query.startswith(self.stop_at) else None
        self.count += 1

    def run(self):
        try:
            with self.connection.transaction():
                getattr(self.world, self.verb)(self.connection)
                self.step("")
        except Exception as error:  # noqa: BLE001 - reported by the test.
            self.failure = error
        self.stopped.set()

    def leave(self):
        self.join(WAIT)
        del WATCHERS[self.pid]
        self.connection.close()

    def check(self):
        assert not self.is_alive() and self.failure is None, self.failure


def wait_until_blocked(database, actor):
    """Return once somebody waits for a lock, or has done its work."""
    with database.connect() as connection:
        while actor.is_alive():
            [(pids,)] = connection.execute("select pg_blocking_pids(%s)", [actor.pid]).fetchall()
            if pids:
                return
            actor.join(0.005)


def meet(database, name, first, second, stop_at):
    """Let the second come while the first stands before a statement; return how many statements the first has."""
    with database.transaction() as tx:
        world = World(tx, name)
    actors = [Actor(database, world, verb) for verb in (first, second)]
    actors[0].stop_at = stop_at
    actors[0].start()
    assert actors[0].stopped.wait(WAIT)
    actors[1].start()
    wait_until_blocked(database, actors[1])
    actors[0].go.set()
    for actor in actors:
        actor.leave()
    for actor in actors:
        actor.check()
    with database.transaction() as tx:
        check_books(tx)
        assert store.find_unlotted(tx) == []
        [(least,)] = tx.execute(
            "select min(balance) from ledger.account where unit = %s and kind = 'pool'", [name]
        ).fetchall()
        assert least >= 0
        check_parts(tx, world)
    return actors[0].count - 1


def check_parts(tx, world):
    """No pool has more of a lot than was brought there, and what nobody is in has nothing."""
    [(wrong,)] = tx.execute(
        "select count(*) from programme.pool p join ledger.holding h using (account_id) "
        "where p.programme = %s and (not exists (select from programme.pool_member j "
        "where j.pool_id = p.pool_id and j.left_at is null) or h.rest > (select coalesce(sum(s.points), 0) "
        "from programme.pool_share s where s.lot_id = h.lot_id))",
        [world.name],
    ).fetchall()
    assert wrong == 0


VERBS = ("draw", "collect", "leave", "leave_last", "end", "join", "take_back", "slide", "expire", "part")
CHOSEN = [
    ("take_back", "draw"), ("draw", "take_back"), ("part", "draw"), ("leave", "draw"), ("collect", "leave_last"),
    ("slide", "take_back"), ("expire", "part"), ("end", "draw"), ("draw", "end"),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second"), CHOSEN)
def test_one_comes_while_another_stands_in_the_middle(database, first, second):
    total = meet(database, "whole", first, second, stop_at=10**6)
    for place, stop_at in enumerate((total // 2, total * 3 // 4, total)):
        meet(database, f"n{place}", first, second, stop_at)


@pytest.mark.soak
@pytest.mark.parametrize("first", VERBS)
@pytest.mark.parametrize("second", VERBS)
def test_one_comes_before_many_a_statement_of_another(database, first, second):
    total = meet(database, "whole", first, second, stop_at=10**6)
    for stop_at in range(0, total + 1, 3):
        meet(database, f"n{stop_at}", first, second, stop_at)


def test_finds_a_return_that_forgets_to_hold_the_pool(database, monkeypatch):
    """The checker is checked: what was read of the pool is gone when it is to be moved."""

    def forget(_tx, **wished):
        return [1] if wished.get("lot_ids") else []

    monkeypatch.setattr(ledger, "hold_accounts", lambda _tx, **_: None)
    monkeypatch.setattr(store_pools, "lock_pools", forget)
    with pytest.raises(AssertionError, match="could not be moved"):
        meet(database, "club", "take_back", "draw", stop_at="-- What is left in pools")


def test_sixty_four_spend_from_one_pool_what_there_is(database):
    """Exactly floor(balance / price) succeed, whoever asks."""
    with database.transaction() as tx:
        world = World(tx, "club")
        world.collect(tx)
        account_id = api.get_pool(tx, world.pool_id).account_id
        [balance] = ledger.get_balances(tx, account_ids=[account_id])
    assert balance == 20 + 30 + 40 + 15

    def draw(tx, number):
        wish = PoolSpending(
            pool_id=world.pool_id, profile_id=world.people[("ada", "bob", "cy")[number % 3]], points=4,
            idempotency_key=f"d{number}",
        )  # fmt: skip
        try:
            return api.redeem_from_pool(tx, wish=wish, programmes=world.programmes, now=NOW).balance
        except InsufficientPoints:
            return None

    told = [each for each in at_once(database, 64, draw) if each is not None]
    assert sorted(told) == [balance - 4 * (n + 1) for n in reversed(range(balance // 4))]
    with database.transaction() as tx:
        check_books(tx)
