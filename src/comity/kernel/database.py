"""The pool and the transaction. One transaction at the edge; no room commits by itself."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec
import psycopg
from psycopg import sql
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import ConnectionPool, PoolTimeout

from comity.kernel.clock import Clock
from comity.kernel.errors import ComityError, Invalid, NotFound, Refused, Unavailable

Tx = psycopg.Connection[tuple[Any, ...]]

set_json_dumps(msgspec.json.encode)
set_json_loads(msgspec.json.decode)

SESSION_SETTINGS = {
    "timezone": "UTC",
    "datestyle": "ISO",
    "intervalstyle": "postgres",
    "jit": "off",
    "lock_timeout": "20s",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "120s",
    "idle_session_timeout": "0",
}

SESSION_OPTIONS = " ".join(f"-c {name}={value}" for name, value in SESSION_SETTINGS.items())
CLIENT_ENCODING = "UTF8"
"""What every session of ours relies on, whatever server, database and role say; sent at connect, so that no session
state is set later."""

CONNECT_SECONDS_MAX = 20.0


class TransactionsCollided(Unavailable):
    """Two transactions were in each other's way and this one gave way; doing it again is all it takes."""


ATTEMPTS = 5
"""How often work that gave way to another transaction is done in all."""

PAUSE_SECONDS = 0.1

T = TypeVar("T")


class DatabaseUnavailable(Unavailable):
    """The database does not answer; Comity goes on as soon as it does."""


def export_snapshot(tx: Tx) -> str:
    """Return a name by which `Database.read` sees what this transaction sees now."""
    row = tx.execute("select pg_export_snapshot()").fetchone()
    return str(row[0]) if row else ""


def wait_until_up(dsn: str, *, clock: Clock, seconds_max: float) -> None:
    """Wait for a server that is starting, recovering or not there yet. Raises DatabaseUnavailable in the end.

    What waiting does not change (a wrong password, an unknown database) is left to whoever connects next.
    """
    until = clock.monotonic() + seconds_max
    pause = 0.05
    while True:
        try:
            psycopg.connect(dsn, connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if not _is_worth_waiting(error):
                return
            if clock.monotonic() >= until:
                raise DatabaseUnavailable(details={"cause": str(error).strip()[:500]}) from error
            clock.sleep(pause)
            pause = min(2.0, pause * 1.5)
        else:
            return


def _is_worth_waiting(error: psycopg.OperationalError) -> bool:
    text = str(error)
    reasons = ("starting up", "shutting down", "recovery", "refused", "No such file", "timeout", "too many clients")
    return any(reason in text for reason in reasons) or "server closed the connection" in text


def is_data_fault(error: Exception) -> bool:
    """True when the data at hand made a step fail: with other data it works, with this data it fails every time."""
    if isinstance(error, psycopg.Error):
        return isinstance(error, psycopg.DataError | psycopg.IntegrityError | psycopg.errors.ProgramLimitExceeded)
    if isinstance(error, ComityError):
        return isinstance(error, Invalid | Refused | NotFound)
    return isinstance(error, ValueError | TypeError | ArithmeticError | LookupError)


class Database:
    """A pool of connections to one PostgreSQL database."""

    def __init__(
        self,
        *,
        dsn: str,
        pool_size_max: int = 8,
        application_name: str = "comity",
        wait_seconds: float = CONNECT_SECONDS_MAX,
    ) -> None:
        """Open lazily; connections are made as they are needed, and waited for so long at most."""
        self.dsn = dsn
        self._pool: ConnectionPool[Tx] = ConnectionPool(
            dsn,
            kwargs={
                "autocommit": True,
                "application_name": application_name,
                "options": SESSION_OPTIONS,
                "client_encoding": CLIENT_ENCODING,
            },
            min_size=0,
            max_size=pool_size_max,
            timeout=wait_seconds,
            # Attempts come ever more seldom: one that outlived those who wait for it would make the next ones wait on
            # long after the database is back.
            reconnect_timeout=wait_seconds,
            max_idle=120,
            open=True,
        )

    @contextmanager
    def transaction(self) -> Generator[Tx]:
        """Yield a transaction (READ COMMITTED); commit when the block ends well, roll back when it raises.

        Raises DatabaseUnavailable when no connection can be had or it breaks on the way, TransactionsCollided.
        """
        with self._borrow() as connection, connection.transaction():
            yield connection

    @contextmanager
    def _borrow(self) -> Generator[Tx]:
        """Yield a connection of the pool, on which each statement commits by itself."""
        try:
            with self._pool.connection() as connection:
                yield connection
        except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure) as error:
            raise TransactionsCollided(details={"cause": str(error).strip()[:500]}) from error
        except (PoolTimeout, psycopg.OperationalError) as error:
            if isinstance(
                error,
                psycopg.errors.LockNotAvailable | psycopg.errors.DiskFull | psycopg.errors.ProgramLimitExceeded,
            ):
                raise
            raise DatabaseUnavailable(details={"cause": str(error).strip()[:500]}) from error

    def run(self, work: Callable[[Tx], T], *, is_one_statement: bool = False) -> T:
        """Do work in a transaction, and again when it had to give way to another one; it must bear that.

        Work that is one statement commits by itself: `is_one_statement` saves the round trips of begin and commit, half
        of what a small batch costs. Raises what `transaction` raises; TransactionsCollided when it gave way every time.
        """
        enter = self._borrow if is_one_statement else self.transaction
        for attempt in range(1, ATTEMPTS):
            try:
                with enter() as tx:
                    return work(tx)
            except TransactionsCollided:
                time.sleep(PAUSE_SECONDS * attempt)
        with enter() as tx:
            return work(tx)

    def connect(self) -> Tx:
        """Open a connection of the caller's own, outside the pool, in autocommit mode (for LISTEN and for bulk)."""
        try:
            return psycopg.connect(
                self.dsn,
                autocommit=True,
                application_name="comity",
                options=SESSION_OPTIONS,
                client_encoding=CLIENT_ENCODING,
            )
        except psycopg.OperationalError as error:
            raise DatabaseUnavailable(details={"cause": str(error).strip()[:500]}) from error

    @contextmanager
    def read(self, *, snapshot: str) -> Generator[Tx]:
        """Yield a transaction that only reads, and sees what the one that exported the snapshot sees.

        On a connection of its own; the transaction that exported it must still be open when this one begins.
        """
        with self.connect() as connection, connection.transaction():
            connection.execute("set transaction isolation level repeatable read, read only")
            connection.execute(sql.SQL("set transaction snapshot {}").format(sql.Literal(snapshot)))
            yield connection

    def ping(self) -> None:
        """Make sure the database answers. Raises DatabaseUnavailable."""
        with self.transaction() as tx:
            tx.execute("select 1")

    def close(self) -> None:
        """Give all connections back to the server."""
        self._pool.close()
