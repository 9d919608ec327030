"""`kill -9` between any two statements of a verb: what was begun is gone, and doing it again gives the same books.

A process of its own works on the real database and kills itself before its n-th statement, before its commit, or after
it, when nobody has been told yet. Then the work is done again by somebody who knows nothing of that.
"""

import os
import signal
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar
from uuid import UUID, uuid5

import msgspec
import psycopg
import pytest

from comity.activity.types import ProfileMove
from comity.definitions.types import ProgrammeSpec
from comity.ledger import api as ledger
from comity.ledger import store
from comity.ledger.types import Capture, NewHold, Posting, Release, ReturnPolicy, Reversal, Terms
from comity.programme import api, parting
from comity.programme import store as programme_store
from comity.programme.types import Programme

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=3)
DAY = date(2026, 3, 3)
SPEC = {"title": "Club", "currency": "EUR", "earning": {"points_per_unit": 1, "unit_minor": 100}}


class World:
    """Two members of a programme of their own, with lots, a debt and open holds; each verb with what came before it."""

    verbs: ClassVar[dict[str, list[str]]] = {
        "hold": [],
        "capture": [],
        "release": [],
        "time_out": [],
        "take_back": [],
        "expire": [],
        "merge": [],
        "part": ["merge", "spend_together"],
    }

    def __init__(self, tx, name):
        self.name = name
        self.club = Programme(name=name, spec=msgspec.convert(SPEC, ProgrammeSpec))
        self.people = [uuid5(UUID(int=0), f"{name}{number}") for number in range(2)]
        for number, person in enumerate(self.people):
            tx.execute("insert into identity.profile values (%s, %s, null, now())", [person, number + 1])
            api.enrol(tx, profile_ids=[person], programme=self.club, now=NOW)
        self.programme = programme_store.find_programme(tx, programme=name).account_id
        self.ada, self.bob = (
            api.get_member(tx, profile_id=person, programme=name).account_id for person in self.people
        )
        self.earned = [self.post(tx, f"a{n}", self.programme, self.ada, 30, days=n) for n in range(1, 4)]
        for n in range(1, 3):
            self.post(tx, f"b{n}", self.programme, self.bob, 25, days=n * 2)
        holds = [self.to_hold(f"h{n}", minutes=60 * n) for n in range(2)]
        self.holds = [each.transfer_id for each in ledger.reserve(tx, holds=holds, now=NOW)]
        self.spent = self.post(tx, "s", self.ada, self.programme, 20)

    def fields(self, key):
        return {"idempotency_key": f"{self.name}-{key}", "effective_on": DAY, "system": "shop", "external_id": key}

    def post(self, tx, key, debit, credit, amount, days=None):
        terms = Terms(expires_on=DAY + timedelta(days=days)) if days else Terms()
        wish = Posting(
            debit_account_id=debit, credit_account_id=credit, amount=amount, kind="any", terms=terms, **self.fields(key)
        )
        return ledger.post(tx, postings=[wish], now=NOW)[0].transfer_id

    def to_hold(self, key, minutes):
        return NewHold(account_id=self.ada, amount=12, deadline_at=NOW + timedelta(minutes=minutes), **self.fields(key))

    def hold(self, tx):
        return ledger.reserve(tx, holds=[self.to_hold("new", minutes=5)], now=NOW)

    def capture(self, tx):
        wish = Capture(hold_id=self.holds[1], credit_account_id=self.programme, amount=5, **self.fields("c"))
        return ledger.capture(tx, captures=[wish], now=NOW)

    def release(self, tx):
        return ledger.release(tx, releases=[Release(hold_id=self.holds[1], **self.fields("r"))], now=NOW)

    def time_out(self, tx):
        return api.time_out_holds(tx, programme=self.club, now=NOW + timedelta(minutes=30))

    def take_back(self, tx):
        """A return of what is spent and reserved in part: it ends in a debt."""
        wishes = [
            Reversal(transfer_id=each, policy=ReturnPolicy.ALLOW_NEGATIVE, reason="", **self.fields(f"t{each}"))
            for each in self.earned
        ]
        return ledger.reverse(tx, reversals=wishes, now=NOW)

    def expire(self, tx):
        return api.expire_points(tx, programme=self.club, now=LATER)

    def merge(self, tx):
        ada, bob = self.people
        tx.execute("update identity.profile set merged_into = %s where profile_id = %s", [bob, ada])
        moves = [ProfileMove(loser_profile_id=ada, survivor_profile_id=bob)]
        return api.merge_members(tx, moves=moves, programmes=[self.club], now=NOW)

    def spend_together(self, tx):
        for number, person in enumerate(self.people):
            api.redeem(
                tx, profile_id=person, programme=self.name, points=40, idempotency_key=f"{self.name}-{number}", now=NOW
            )

    def part(self, tx):
        tx.execute("update identity.profile set merged_into = null where profile_id = %s", [self.people[0]])
        return parting.part_members(tx, profile_ids=self.people[:1], programmes=[self.club], now=NOW)

    def picture(self, tx):
        """Everything the books say, in words that do not depend on numbers drawn."""
        labels = {
            account_id: f"{kind}{rank}"
            for account_id, kind, rank in tx.execute(
                "select account_id, kind, rank() over (partition by kind order by account_id) from ledger.account "
                "where unit = %s",
                [self.name],
            ).fetchall()
        }
        numbers = {}
        lines = []
        for number, key, *rest, debit, credit, reverses in tx.execute(
            "select transfer_id, idempotency_key, kind, amount, effective_on, debit_account_id, credit_account_id, "
            "reverses_transfer_id from ledger.transfer where debit_account_id = any(%s) order by transfer_id",
            [list(labels)],
        ).fetchall():
            numbers[number] = len(numbers)
            name = key.removeprefix(f"{self.name}-") if key.startswith(self.name) else ""
            lines.append((name.rstrip("0123456789"), *rest, labels[debit], labels[credit], numbers.get(reverses)))
        held = [
            (labels[account_id], numbers[lot_id], rest)
            for account_id, lot_id, rest in tx.execute(
                "select account_id, lot_id, rest from ledger.holding where account_id = any(%s)", [list(labels)]
            ).fetchall()
        ]
        ends = tx.execute(
            "select h.account_id, e.outcome, e.captured, e.released, o.hold_id is not null from ledger.v_hold h "
            "left join ledger.hold_end e using (hold_id) left join ledger.open_hold o using (hold_id) "
            "where h.account_id = any(%s) order by h.hold_id",
            [list(labels)],
        ).fetchall()
        members = tx.execute(
            "select account_id, merged_into is null from programme.member where programme = %s order by member_id",
            [self.name],
        ).fetchall()
        return (
            lines,
            sorted(held),
            [(labels[each[0]], *each[1:]) for each in ends],
            [(labels[each[0]], each[1]) for each in members],
        )


def make(database, verb, name, kind):
    with database.transaction() as tx:
        world = kind(tx, name)
        for before in kind.verbs[verb]:
            getattr(world, before)(tx)
    return world


def count_statements(database, world, verb, monkeypatch):
    """Do the work undisturbed; return how many statements it took."""
    counted = []
    with monkeypatch.context() as patch:
        execute = psycopg.Cursor.execute

        def counting(*args, **kwargs):
            counted.append(1)
            return execute(*args, **kwargs)

        patch.setattr(psycopg.Cursor, "execute", counting)
        with database.transaction() as tx:
            getattr(world, verb)(tx)
    return len(counted)


def work_until_killed(dsn, world, verb, last):
    """Run in a process of its own, which never returns: it is killed before statement `last` + 1, at the latest."""
    count = 0
    execute = psycopg.Cursor.execute

    def stepping(*args, **kwargs):
        step()
        return execute(*args, **kwargs)

    def step():
        nonlocal count
        if count == last:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1

    try:
        connection = psycopg.connect(dsn, autocommit=True)
        psycopg.Cursor.execute = stepping
        with connection.transaction():
            getattr(world, verb)(connection)
            step()
        step()
    finally:
        os._exit(1)


def kill_at(database, world, verb, last):
    child = os.fork()
    if child == 0:
        work_until_killed(database.dsn, world, verb, last)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def sweep(database, verb, monkeypatch, stride, kind=World):
    whole = make(database, verb, "whole", kind)
    total = count_statements(database, whole, verb, monkeypatch)
    assert total >= 3
    begun = make(database, verb, "before", kind)
    with database.transaction() as tx:
        before, expected = begun.picture(tx), whole.picture(tx)
    assert expected != before
    for last in sorted({*range(0, total, stride), total, total + 1}):
        world = make(database, verb, f"n{last}", kind)
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


@pytest.mark.parametrize("verb", World.verbs)
def test_killed_here_and_there_nothing_is_stuck_or_lost(database, monkeypatch, verb):
    sweep(database, verb, monkeypatch, stride=5)


@pytest.mark.soak
@pytest.mark.parametrize("verb", World.verbs)
def test_killed_between_any_two_statements_nothing_is_stuck_or_lost(database, monkeypatch, verb):
    sweep(database, verb, monkeypatch, stride=1)
