"""Real PostgreSQL for every test that wants one: the embedded server, or the one COMITY_TEST_DSN names."""

import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest
from hypothesis import is_hypothesis_test
from psycopg import sql

from comity.kernel import migrate as kernel_migrate
from comity.kernel.clock import ManualClock
from comity.kernel.database import Database, Tx
from comity.kernel.embedded import ServerInUse, ensure, remove
from comity.kernel.errors import NotFound
from comity.kernel.ids import SeededIds
from tests import chance

ROOMS = (
    "kernel", "definitions", "access", "systems", "inbox", "identity", "profile", "activity", "ledger", "programme",
    "outbox", "sync",
)  # fmt: skip

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Before Hypothesis reads its options."""
    chance.begin(config)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Prepare the properties among the tests."""
    found = (each.function for each in items if isinstance(each, pytest.Function))
    chance.prepare(each for each in found if is_hypothesis_test(each))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how to see a soak again."""
    if told := chance.tell():
        terminalreporter.write_line(told)


@pytest.fixture(scope="session")
def server_dsn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server: the one of COMITY_TEST_DSN, or an embedded one for each test process.

    Readers wait for every running transaction of the whole server, so test processes that shared one would wait for
    each other.
    """
    given = os.environ.get("COMITY_TEST_DSN")
    if given:
        yield given
        _drop_left(given)
        return
    data_dir = tmp_path_factory.getbasetemp() / "postgres"
    with ensure(data_dir=data_dir, linger_seconds=0.0) as server:
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            # Its transactions would be waited for at moments that nobody can foresee.
            connection.execute("alter system set autovacuum = off")
            connection.execute("select pg_reload_conf()")
        yield server.dsn
    with contextlib.suppress(ServerInUse, NotFound):  # A test may still hold it.
        remove(data_dir=data_dir, wait_seconds=3.0)


def _create_database(server_dsn: str, name: str, template: str) -> str:
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} template {} {}").format(
                sql.Identifier(name),
                sql.Identifier(template),
                sql.SQL("" if template != "template0" else "encoding 'UTF8'"),
            )
        )
    return psycopg.conninfo.make_conninfo(server_dsn, dbname=name)


LEFT_MAX = 100
"""A gigabyte of them."""

_left: list[str] = []


def _leave_database(server_dsn: str, name: str) -> None:
    """Leave a database lying there, which goes with the server: a drop waits for the disk longer than most tests do."""
    _left.append(name)
    _drop_left(server_dsn, left_max=LEFT_MAX)


def _drop_left(server_dsn: str, *, left_max: int = 0) -> None:
    while len(_left) > left_max:
        _drop_database(server_dsn, _left.pop(0))


def _drop_database(server_dsn: str, name: str) -> None:
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def template_database(server_dsn: str) -> Iterator[str]:
    """The name of a migrated database that others are copied from."""
    name = f"template_{uuid4().hex[:12]}"
    dsn = _create_database(server_dsn, name, "template0")
    database = Database(dsn=dsn)
    kernel_migrate.migrate(database, rooms=ROOMS)
    database.close()
    yield name
    _leave_database(server_dsn, name)


@pytest.fixture
def database(server_dsn: str, template_database: str) -> Iterator[Database]:
    """A migrated database of the test's own, for tests with several connections."""
    yield from lend_database(server_dsn, template_database)


def lend_database(server_dsn: str, template_database: str) -> Iterator[Database]:
    """Make a database for one test, migrated where the template is."""
    name = f"test_{uuid4().hex[:12]}"
    database = Database(dsn=_create_database(server_dsn, name, template_database))
    yield database
    database.close()
    _leave_database(server_dsn, name)


@pytest.fixture
def empty_database(server_dsn: str) -> Iterator[Database]:
    """A database with nothing in it."""
    yield from lend_database(server_dsn, "template0")


@pytest.fixture(scope="session")
def shared_database(server_dsn: str, template_database: str) -> Iterator[Database]:
    """One migrated database for the `tx` fixture; nothing is ever committed in it."""
    name = f"shared_{uuid4().hex[:12]}"
    dsn = _create_database(server_dsn, name, template_database)
    database = Database(dsn=dsn)
    yield database
    database.close()
    _leave_database(server_dsn, name)


@pytest.fixture
def tx(shared_database: Database) -> Iterator[Tx]:
    """A transaction on the migrated schema that is rolled back at the end."""
    with shared_database.connect() as connection:
        connection.execute("begin")
        yield connection
        connection.execute("rollback")


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at a fixed time until it is moved."""
    return ManualClock(NOW)


@pytest.fixture
def ids() -> SeededIds:
    """The same identifiers in every run."""
    return SeededIds(20260303)
