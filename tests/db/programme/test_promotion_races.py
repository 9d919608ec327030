"""Two at once with vouchers and referrals: whichever way their statements fall, it is as if one had come first.

One transaction stops before its n-th statement; the other one runs until it is done or waits for the first, which then
goes on. What both are told, and what stands afterwards, is what one after the other gives, in one of both orders.
"""

import threading
import time
from functools import partial

import psycopg
import pytest

from comity.ledger import api as ledger
from comity.ledger import store
from comity.programme import api
from comity.programme.types import Redemption
from comity.programme.vouchers import VoucherVerb, VoucherWish
from tests.db.programme.test_killed import NOW
from tests.db.programme.test_killed_promotions import Counter


class Crowd(Counter):
    """Three members: two who bring the same friend, and ask for the same coffee."""

    count = 3

    def issue_two(self, tx):
        """The friend has two of three coffees already."""
        bob = self.people[1]
        self.codes = [each.voucher.code for each in self.ask(tx, (bob, "w1"), (bob, "w2"))]

    def last(self, tx, person, key="last"):
        return self.have(tx, (self.people[person], f"{key}{person}"))

    def same_key(self, tx, person):
        return self.have(tx, (self.people[person], "one"))

    def spend(self, tx):
        wish = Redemption(profile_id=self.people[1], programme=self.name, points=50, idempotency_key=f"{self.name}-s")
        return [each.status for each in api.redeem_many(tx, redemptions=[wish], now=NOW)]

    def touch(self, tx, which, key, verb=VoucherVerb.USE):
        wishes = [VoucherWish(code=self.codes[which], idempotency_key=f"{self.name}-{key}")]
        if verb is VoucherVerb.USE:
            return api.use_vouchers(tx, wishes=wishes, now=NOW)
        return api.end_vouchers(tx, wishes=wishes, verb=verb, programmes={self.name: self.club}, now=NOW)

    def claim(self, tx, advocate, key="refer"):
        return [self.refer(tx, advocate, f"{key}{advocate}").state]

    def stand(self, tx):
        balances = ledger.get_balances(
            tx,
            account_ids=[api.get_member(tx, profile_id=each, programme=self.name).account_id for each in self.people],
        )
        return [balances, *self.promotions(tx)]


CANCEL = VoucherVerb.CANCEL
RACES = {
    "one key for two vouchers": (
        ["issue_two"], partial(Crowd.touch, which=0, key="k"), partial(Crowd.touch, which=1, key="k"),
    ),
    "one key to use and to cancel": (
        ["issue_two"], partial(Crowd.touch, which=0, key="k"), partial(Crowd.touch, which=1, key="k", verb=CANCEL),
    ),
    "one key to cancel two": (
        ["issue_two"],
        partial(Crowd.touch, which=0, key="k", verb=CANCEL), partial(Crowd.touch, which=1, key="k", verb=CANCEL),
    ),
    "use and cancel of one voucher": (
        ["issue_two"], partial(Crowd.touch, which=0, key="u"), partial(Crowd.touch, which=0, key="c", verb=CANCEL),
    ),
    "the last piece": (["issue_two"], partial(Crowd.last, person=0), partial(Crowd.last, person=2)),
    "one key of two members": ([], partial(Crowd.same_key, person=0), partial(Crowd.same_key, person=1)),
    "a piece comes back while another is asked for": (
        ["issue_two"], partial(Crowd.touch, which=0, key="c", verb=CANCEL), partial(Crowd.last, person=2),
    ),
    "points are spent beside": ([], Crowd.spend, partial(Crowd.last, person=1)),
    "two bring one friend": ([], partial(Crowd.claim, advocate=0), partial(Crowd.claim, advocate=2)),
    "one claim twice": ([], partial(Crowd.claim, advocate=0), partial(Crowd.claim, advocate=0)),
    "a claim and its purchase": ([], partial(Crowd.claim, advocate=0), Crowd.buy),
    "a claim and what takes another back": (
        ["refer", "buy", "mature"], partial(Crowd.claim, advocate=2), Crowd.claw_back,
    ),
    "it matures and is taken back": (["refer", "buy"], Crowd.mature, Crowd.claw_back),
    "it matures twice": (["refer", "buy"], Crowd.mature, Crowd.mature),
}  # fmt: skip
"""Each with what came before it."""

QUICK = (
    "one key for two vouchers",
    "one key to use and to cancel",
    "the last piece",
    "two bring one friend",
    "a claim and what takes another back",
)


class Turns:
    """Lets one thread stop before its n-th statement until it is told to go on."""

    def __init__(self, monkeypatch):
        self.thread, self.stop, self.count = None, -1, 0
        self.reached, self.go = threading.Event(), threading.Event()
        execute = psycopg.Cursor.execute

        def stepping(*args, **kwargs):
            if threading.current_thread() is self.thread:
                if self.count == self.stop:
                    self.reached.set()
                    assert self.go.wait(timeout=120)
                self.count += 1
            return execute(*args, **kwargs)

        monkeypatch.setattr(psycopg.Cursor, "execute", stepping)

    def begin(self, stop):
        self.stop, self.count = stop, 0
        self.reached.clear()
        self.go.clear()


def make(database, name, before):
    with database.transaction() as tx:
        world = Crowd(tx, name)
        for each in before:
            getattr(world, each)(tx)
    return world


def work(database, world, verb, told, place):
    try:
        told[place] = kinds(database.run(lambda tx: verb(world, tx)))
    except Exception as error:  # noqa: BLE001 - compared by the test.
        told[place] = type(error).__name__


def kinds(answers):
    """Return what was told, without the numbers drawn."""
    return [
        type(each).__name__ if hasattr(each, "__struct_fields__") or isinstance(each, Exception) else each
        for each in answers or []
    ]


def one_after_the_other(database, name, before, verbs, order):
    """Return what each was told and what stands afterwards."""
    world, told = make(database, name, before), [None, None]
    for place in order:
        work(database, world, verbs[place], told, place)
    with database.transaction() as tx:
        return told, world.stand(tx)


def at_once(database, name, before, verbs, turns, stop):
    world, told = make(database, name, before), [None, None]
    first, second = (
        threading.Thread(target=work, args=(database, world, verb, told, place)) for place, verb in enumerate(verbs)
    )
    turns.begin(stop)
    turns.thread = first
    first.start()
    while not turns.reached.wait(timeout=0.002) and first.is_alive():
        pass
    second.start()
    with database.connect() as watcher:
        while second.is_alive() and not waits(watcher):
            time.sleep(0.002)
    turns.go.set()
    first.join(timeout=120)
    second.join(timeout=120)
    with database.transaction() as tx:
        assert store.find_imbalance(tx) == store.find_unlotted(tx) == []
        return told, world.stand(tx)


def waits(watcher):
    """True when somebody waits for a lock; who has stopped does not."""
    return watcher.execute(
        "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')"
    ).fetchone()[0]


def race(database, monkeypatch, name, stride):
    before, *verbs = RACES[name]
    turns = Turns(monkeypatch)
    allowed = [
        one_after_the_other(database, f"o{place}", before, verbs, order) for place, order in enumerate(([0, 1], [1, 0]))
    ]
    counting = make(database, "count", before)
    turns.begin(-1)
    turns.thread = threading.current_thread()
    work(database, counting, verbs[0], [None], 0)
    for stop in range(1, turns.count, stride):
        found = at_once(database, f"n{stop}", before, verbs, turns, stop)
        assert found in allowed, f"stopped before statement {stop + 1}"


@pytest.mark.parametrize("name", QUICK)
def test_two_at_once_here_and_there(database, monkeypatch, name):
    race(database, monkeypatch, name, stride=4)


@pytest.mark.soak
@pytest.mark.parametrize("name", RACES)
def test_two_at_once_at_every_statement(database, monkeypatch, name):
    race(database, monkeypatch, name, stride=1)
