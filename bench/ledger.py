"""The ledger: postings a second in batches, against TPC-B of pgbench on the same server.

100,000 member accounts and the programme's account; every member has earned once before. 70 of 100 postings earn, 30
redeem. Each accrual is a lot that expires, each redemption takes lots, soonest expiry first, and both book money in the
same journal. A batch is one transaction. Only what was booked counts. Two connections take members as they come, or
each has members of its own: batches of a thousand that share one wait for each other.
"""

import random
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import msgspec

from bench.report import Options, Row, Wanted, compare, read_options, say, show, take_turns
from bench.server import Pgbench, open_server
from comity import wiring
from comity.kernel.clock import SystemClock
from comity.kernel.database import Database, Tx
from comity.ledger import api as ledger
from comity.ledger.types import AccountKind, Book, MoneyLeg, NewAccount, Posting, PostingStatus, Terms

TITLE = "ledger"
OPEN_MAX = 10_000
FUND_MAX = 5_000
OPENING = 1_000
EARN_SHARE = 0.7
SWITCH_SECONDS = 0.0005
"""As the hub has it: two threads that write postings do not wait 5 ms for each other."""
BOOKED_ON = date(2026, 3, 3)
DAYS_VALID = 730


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How much is done."""

    accounts: int
    postings: int
    scale: int
    seconds: int
    repeats: int


FULL = Size(accounts=100_000, postings=60_000, scale=50, seconds=5, repeats=5)
QUICK = Size(accounts=20_000, postings=10_000, scale=10, seconds=2, repeats=2)


class Books:
    """A ledger with its accounts, and a source of postings that are new each time."""

    def __init__(self, database: Database, *, size: Size) -> None:
        """Open the accounts."""
        self._database = database
        self._size = size
        self._random = random.Random(20260303)
        self._count = 0
        self.posted_count = 0
        self._counting = threading.Lock()
        now = SystemClock().now()
        with database.transaction() as tx:
            self._members = [
                account_id
                for start in range(0, size.accounts, OPEN_MAX)
                for account_id in ledger.open_accounts(tx, accounts=_members(start, size.accounts), now=now)
            ]
            self._programme, self._liability, self._revenue = ledger.open_accounts(
                tx,
                accounts=[
                    NewAccount(book=Book.POINTS, unit="points", kind=AccountKind.PROGRAMME, owner="points"),
                    NewAccount(book=Book.MONEY, unit="EUR", kind=AccountKind.MONEY, owner="liability"),
                    NewAccount(book=Book.MONEY, unit="EUR", kind=AccountKind.MONEY, owner="revenue"),
                ],
                now=now,
            )
        for start in range(0, size.accounts, FUND_MAX):
            with database.transaction() as tx:
                members = self._members[start : start + FUND_MAX]
                wishes = [self._posting(member, is_earning=True, amount=OPENING) for member in members]
                self.posted_count += sum(each.is_booked for each in ledger.post(tx, postings=wishes, now=now))

    def run(self, *, batch_size: int, connections: int, is_apart: bool = False) -> float:
        """Post a run's postings in batches and return how many a second were booked.

        Each connection posts for any member, or (apart) for members of its own.
        """
        count = self._size.postings // batch_size // connections
        shares = connections if is_apart else 1
        parts = [
            [self._make_batch(batch_size, part % shares, shares) for _ in range(count)] for part in range(connections)
        ]
        open_connections = [self._database.connect() for _ in parts]
        threads = [
            threading.Thread(target=self._work, args=(connection, part))
            for connection, part in zip(open_connections, parts, strict=True)
        ]
        before, started = self.posted_count, time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.monotonic() - started
        for connection in open_connections:
            connection.close()
        return (self.posted_count - before) / seconds

    def check(self) -> None:
        """Make sure that the books hold all legs of every posting that was said to be booked, and balance.

        And that every balance is what entries and lots say, which is the ledger's own check.
        """
        with self._database.transaction() as tx:
            rows = ledger.trial_balance(tx)
            astray = ledger.find_imbalance(tx)
        entries, balance = sum(row.entry_count for row in rows), sum(row.balance for row in rows)
        if entries != 4 * self.posted_count or balance != 0 or astray:
            raise RuntimeError(
                f"{self.posted_count} postings were booked; the books hold {entries} legs, sum {balance}; "
                f"{len(astray)} accounts are astray."
            )

    def _make_batch(self, count: int, share: int = 0, shares: int = 1) -> list[Posting]:
        return [self._make_posting(share, shares) for _ in range(count)]

    def _make_posting(self, share: int, shares: int) -> Posting:
        member = self._members[self._random.randrange(share, len(self._members), shares)]
        return self._posting(
            member, is_earning=self._random.random() < EARN_SHARE, amount=self._random.randrange(1, 500)
        )

    def _posting(self, member: int, *, is_earning: bool, amount: int) -> Posting:
        self._count += 1
        kind = "earn" if is_earning else "redeem"
        money = MoneyLeg(
            debit_account_id=self._revenue if is_earning else self._liability,
            credit_account_id=self._liability if is_earning else self._revenue,
            amount_minor=amount,
        )
        expires_on = BOOKED_ON + timedelta(days=DAYS_VALID + self._count // 10_000) if is_earning else None
        return Posting(
            idempotency_key=f"{kind}:points:{self._count}",
            debit_account_id=self._programme if is_earning else member,
            credit_account_id=member if is_earning else self._programme,
            amount=amount,
            kind=kind,
            terms=Terms(expires_on=expires_on),
            money=money,
            effective_on=BOOKED_ON,
            system="salesforce-emea",
            external_id=f"0061{self._count:014d}",
        )

    def _work(self, connection: Tx, batches: list[list[Posting]]) -> None:
        booked = 0
        now = datetime.now(UTC)
        for batch in batches:
            with connection.transaction():
                verdicts = ledger.post(connection, postings=batch, now=now)
            booked += sum(verdict.status is PostingStatus.POSTED for verdict in verdicts)
        with self._counting:
            self.posted_count += booked


def _members(start: int, count: int) -> list[NewAccount]:
    return [
        NewAccount(book=Book.POINTS, unit="points", kind=AccountKind.MEMBER, owner=str(number))
        for number in range(start, min(start + OPEN_MAX, count))
    ]


class Case(msgspec.Struct, frozen=True):
    """How a run posts."""

    batch_size: int
    connections: int
    is_apart: bool = False

    @property
    def name(self) -> str:
        """What the row is called."""
        plural = "s" * (self.connections > 1)
        apart = ", members of their own" * self.is_apart
        return f"postings, batches of {self.batch_size:,}, {self.connections} connection{plural}{apart}"


CASES = (Case(1000, 1), Case(1000, 2), Case(1000, 2, is_apart=True), Case(100, 1), Case(100, 2))


def _run(books: Books, case: Case) -> Callable[[], float]:
    return lambda: books.run(batch_size=case.batch_size, connections=case.connections, is_apart=case.is_apart)


def measure(options: Options) -> list[Row]:
    """Measure and return the rows."""
    size = QUICK if options.is_quick else FULL
    sys.setswitchinterval(SWITCH_SECONDS)
    with open_server() as server:
        say(f"pgbench at scale {size.scale}, {size.accounts:,} member accounts")
        pgbench = Pgbench(server, scale=size.scale)
        database = Database(dsn=server.create("ledger"))
        wiring.migrate(database, owner_dsn=server.embedded.owner_dsn_for("ledger"))
        books = Books(database, size=size)
        server.vacuum("ledger")
        figures = take_turns(
            {"TPC-B": lambda: pgbench.run_tpcb(size.seconds), **{case.name: _run(books, case) for case in CASES}},
            repeats=size.repeats,
        )
        books.check()
        database.close()
    return [
        compare(
            case.name,
            figures[case.name],
            unit="postings/s",
            limits=figures["TPC-B"],
            limit_name="pgbench TPC-B, 8 clients",
            wanted=Wanted(ratio_min=4.0 if case.batch_size == 1000 else 2.0),
        )
        for case in CASES
    ]


if __name__ == "__main__":
    given = read_options(__doc__ or TITLE)
    show(TITLE, measure(given), options=given)
