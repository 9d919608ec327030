"""Many at once on real connections: P19, P22 and L2, L3. Who goes first is chosen by a seed, not by luck."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from queue import Queue
from threading import Barrier, Event, Thread

import psycopg
import pytest

from comity.ledger import api, store
from comity.ledger.types import (
    AccountKind,
    Book,
    Capture,
    HoldOutcome,
    NewAccount,
    NewHold,
    Posting,
    PostingStatus,
    Release,
    ReturnPolicy,
    Reversal,
    Takes,
    Terms,
)
from tests.chance import is_soak, seeds
from tests.property.ledger_model import NEVER, Model

DAY = date(2026, 3, 3)
NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
SOURCE = {"system": "shop", "external_id": "1", "effective_on": DAY}
MEMBERS = ("ada", "bob", "cy")


def open_books(database):
    with database.transaction() as tx:
        kinds = [(AccountKind.PROGRAMME, "points"), *((AccountKind.MEMBER, name) for name in MEMBERS)]
        return api.open_accounts(
            tx,
            accounts=[NewAccount(book=Book.POINTS, unit="points", kind=kind, owner=owner) for kind, owner in kinds],
            now=NOW,
        )


def posting(key, debit, credit, amount, **changes):
    fields = {"kind": "any"} | SOURCE | changes
    return Posting(idempotency_key=key, debit_account_id=debit, credit_account_id=credit, amount=amount, **fields)


def post(database, *wishes):
    with database.transaction() as tx:
        return api.post(tx, postings=wishes, now=NOW)


def at_once(database, count, work):
    """Run work(tx, number) on as many connections, all started by one barrier; return what each said."""
    barrier = Barrier(count)

    def body(number):
        with database.connect() as connection:
            barrier.wait(timeout=60)
            with connection.transaction():
                return work(connection, number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(body, range(count)))


def check(database):
    with database.transaction() as tx:
        assert store.find_imbalance(tx) == []
        assert store.find_unlotted(tx) == []
        assert sum(row.balance for row in api.trial_balance(tx)) == 0


class TestAtOnce:
    def test_sixty_four_redemptions_spend_what_there_is(self, database):
        """Exactly floor(balance / price) succeed."""
        programme, ada, *_ = open_books(database)
        post(database, *(posting(f"e{n}", programme, ada, 50, terms=Terms(expires_on=NEVER)) for n in range(5)))

        def redeem(tx, number):
            [verdict] = api.post(tx, postings=[posting(f"r{number}", ada, programme, 7)], now=NOW)
            return verdict

        verdicts = at_once(database, 64, redeem)
        statuses = [each.status for each in verdicts]
        assert statuses.count(PostingStatus.POSTED) == 250 // 7
        assert statuses.count(PostingStatus.INSUFFICIENT) == 64 - 250 // 7
        posted = [each.debit_balance_after for each in verdicts if each.status is PostingStatus.POSTED]
        assert sorted(posted) == [250 - 7 * (n + 1) for n in reversed(range(250 // 7))]
        check(database)

    def test_the_same_request_fifty_times_counts_once(self, database):
        programme, ada, *_ = open_books(database)
        verdicts = at_once(
            database, 50, lambda tx, _: api.post(tx, postings=[posting("same", programme, ada, 7)], now=NOW)[0]
        )
        assert sorted(each.status.value for each in verdicts) == ["duplicate"] * 49 + ["posted"]
        assert len({(each.transfer_id, each.credit_balance_after) for each in verdicts}) == 1
        check(database)

    def test_a_hold_ends_once(self, database):
        """Captures and releases of one hold, beside a hold on the same lot that must not pay for it."""
        programme, ada, *_ = open_books(database)
        post(database, posting("e", programme, ada, 100))
        with database.transaction() as tx:
            holds = [
                NewHold(idempotency_key=key, account_id=ada, amount=40, deadline_at=NOW + timedelta(hours=1), **SOURCE)
                for key in ("a", "b")
            ]
            hold_id = api.reserve(tx, holds=holds, now=NOW)[0].transfer_id

        def end(tx, number):
            name = {"idempotency_key": f"end{number}", "hold_id": hold_id}
            if number % 2:
                return api.release(tx, releases=[Release(**name, **SOURCE)], now=NOW)[0]
            return api.capture(tx, captures=[Capture(**name, credit_account_id=programme, **SOURCE)], now=NOW)[0]

        verdicts = at_once(database, 16, end)
        statuses = sorted(each.status.value for each in verdicts)
        assert statuses == ["already_resolved"] * 15 + ["posted"]
        [outcome] = {each.outcome for each in verdicts}
        with database.transaction() as tx:
            assert api.get_balances(tx, account_ids=[ada]) == [20 if outcome is HoldOutcome.CAPTURED else 60]
        check(database)

    def test_returns_never_exceed_what_was_earned(self, database):
        programme, ada, *_ = open_books(database)
        [earned] = post(database, posting("e", programme, ada, 100))
        post(database, posting("r", ada, programme, 100))

        def take_back(tx, number):
            wish = Reversal(
                transfer_id=earned.transfer_id, idempotency_key=f"b{number}", reason="", amount=30,
                policy=ReturnPolicy.ALLOW_NEGATIVE, **SOURCE,
            )  # fmt: skip
            return api.reverse(tx, reversals=[wish], now=NOW)[0].status.value

        assert sorted(at_once(database, 12, take_back)) == ["already_reversed"] * 9 + ["posted"] * 3
        with database.transaction() as tx:
            assert api.get_balances(tx, account_ids=[ada]) == [-90]
        check(database)

    def test_lots_expire_once_beside_those_who_spend_them(self, database):
        programme, *members = open_books(database)
        soon = Terms(expires_on=DAY + timedelta(days=1))
        post(database, *(posting(f"e{n}", programme, members[n % 3], 10, terms=soon) for n in range(60)))

        def work(tx, number):
            if number % 2:
                return api.expire_lots(tx, unit="points", today=DAY + timedelta(days=1), now=NOW)
            wish = posting(f"r{number}", members[number % 3], programme, 45)
            return api.post(tx, postings=[wish], now=NOW)[0].status is PostingStatus.POSTED

        at_once(database, 12, work)
        with database.transaction() as tx:
            api.expire_lots(tx, unit="points", today=DAY + timedelta(days=1), now=NOW)
            assert api.get_balances(tx, account_ids=members) == [0, 0, 0]
        check(database)


class Session(Thread):
    """A connection that does one step at a time, when it is told to."""

    def __init__(self, database):
        super().__init__(daemon=True)
        self.connection = database.connect()
        self.steps = Queue()
        self.idle = Event()
        self.idle.set()
        self.failure = None
        self.start()

    def tell(self, step):
        """Do a step and wait a moment for it: who waits for a lock goes on later."""
        self.idle.clear()
        self.steps.put(step)
        self.idle.wait(timeout=0.05)

    def run(self):
        while (step := self.steps.get()) is not None:
            try:
                step(self.connection)
            except Exception as error:  # noqa: BLE001 - reported by the test.
                self.failure = error
            self.idle.set()

    def end(self):
        self.steps.put(None)
        self.join(timeout=120)
        self.connection.close()


class Storm:
    """Rounds in which several transactions post batches; the seed says who begins and who commits when."""

    def __init__(self, database, seed, sessions=4):
        self.database = database
        self.random = random.Random(seed)
        self.programme, *accounts = open_books(database)
        self.accounts = dict(zip(MEMBERS, accounts, strict=True))
        self.names = {account_id: name for name, account_id in self.accounts.items()}
        self.sessions = [Session(database) for _ in range(sessions)]
        self.model = Model(MEMBERS)
        self.count = 0

    def wish(self):
        self.count += 1
        one, other = self.random.sample(MEMBERS, 2)
        amount = self.random.randrange(1, 40)
        what = self.random.choice(("earn", "redeem", "redeem", "gift"))
        if what == "earn":
            days = self.random.choice((None, 5, 50))
            terms = Terms(expires_on=days and DAY + timedelta(days=days))
            return posting(f"k{self.count}", self.programme, self.accounts[one], amount, kind="earn", terms=terms)
        target = self.programme if what == "redeem" else self.accounts[other]
        return posting(f"k{self.count}", self.accounts[one], target, amount, kind=what)

    def round(self):
        """Let every session post a batch, in an order and with commits in an order that the seed chose."""
        done = []

        def begin(wishes):
            def step(tx):
                tx.execute("begin")
                done.extend(zip(wishes, api.post(tx, postings=wishes, now=NOW), strict=True))

            return step

        for session in self.random.sample(self.sessions, len(self.sessions)):
            session.tell(begin([self.wish() for _ in range(self.random.randrange(1, 6))]))
        waiting = self.random.sample(self.sessions, len(self.sessions))
        while waiting:
            # Who still waits for a lock commits after those who hold it.
            session = next((each for each in waiting if each.idle.is_set()), None)
            if session is None:
                waiting[0].idle.wait(timeout=0.05)
                continue
            waiting.remove(session)
            session.tell(lambda tx: tx.execute("commit"))
            session.idle.wait(timeout=120)
        assert [each.failure for each in self.sessions if each.failure] == []
        self.compare(done)

    def compare(self, done):
        """Transfers in the order of their ids must have been possible; what was refused must have been at some time."""
        least = {name: self.model.spendable(name, DAY) for name in MEMBERS}
        for wish, verdict in sorted(done, key=lambda each: each[1].transfer_id or 0):
            if verdict.status is not PostingStatus.POSTED:
                continue
            debit, credit = self.names.get(wish.debit_account_id), self.names.get(wish.credit_account_id)
            if debit is None:
                expires_on = wish.terms.expires_on or NEVER
                self.model.earn(credit, wish.amount, expires_on, date.min, DAY, verdict.transfer_id)
                continue
            assert self.model.judge_debit(debit, wish.amount, DAY) == "posted"
            if credit is None:
                self.model.redeem(debit, wish.amount, DAY, verdict.transfer_id)
            else:
                self.model.give(debit, credit, wish.amount, DAY, verdict.transfer_id)
            least[debit] = min(least[debit], self.model.spendable(debit, DAY))
        for wish, verdict in done:
            if verdict.status is PostingStatus.INSUFFICIENT:
                assert least[self.names[wish.debit_account_id]] < wish.amount
            else:
                assert verdict.status is PostingStatus.POSTED
        with self.database.transaction() as tx:
            held = api.list_holdings(tx, account_ids=list(self.accounts.values()))
        for name, account_id in self.accounts.items():
            lots = sorted((each.lot_id, each.rest) for each in held.get(account_id, ()))
            assert lots == sorted((lot.lot_id, lot.rest) for lot in self.model.lots[name])
        check(self.database)

    def end(self):
        for session in self.sessions:
            session.end()


def weather(database, seed, rounds):
    storm = Storm(database, seed)
    try:
        for _ in range(rounds):
            storm.round()
    finally:
        storm.end()


@pytest.mark.parametrize("seed", seeds(1, 2, soak=30))
def test_every_interleaving_is_an_order_of_the_model(database, seed):
    weather(database, seed, rounds=40 if is_soak() else 12)


def test_finds_a_ledger_that_forgets_to_lock(database, to_owner):
    """The checker is checked: without the lock, somebody overdraws or a lot is lost."""
    with psycopg.connect(to_owner(database)) as tx:
        [(source,)] = tx.execute("select pg_get_functiondef(to_regproc('ledger.lock_accounts'))").fetchall()
        assert " for no key update" in source
        tx.execute(source.replace(" for no key update", ""))
    with pytest.raises(AssertionError):
        weather(database, seed=1, rounds=30)


def test_moves_of_all_that_somebody_has_meet_those_who_spend_it(database):
    programme, ada, bob, _ = open_books(database)
    post(database, *(posting(f"e{n}", programme, ada, 10) for n in range(8)))

    def work(tx, number):
        if number == 0:
            [balance] = api.get_balances(tx, account_ids=[ada])
            wish = posting("merge", ada, bob, balance, takes=Takes.ANY)
        else:
            wish = posting(f"r{number}", ada, programme, 10)
        return api.post(tx, postings=[wish], now=NOW)[0].status.value

    at_once(database, 8, work)
    check(database)
