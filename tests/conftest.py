"""Real PostgreSQL for every test that wants one: the embedded server, or the one COMITY_TEST_DSN names."""

import contextlib
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest
from hypothesis import is_hypothesis_test
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

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

KEPT = ("ledger",)

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
    """A server, by the address of its superuser: the one of COMITY_TEST_DSN, or an embedded one a test process.

    Readers wait for every running transaction of the whole server, so test processes that shared one would wait for
    each other.
    """
    given = os.environ.get("COMITY_TEST_DSN")
    if given:
        _hub.update(user=STRANGE_ROLE, password=STRANGE_ROLE)
        with psycopg.connect(given, autocommit=True) as connection, contextlib.suppress(psycopg.errors.DuplicateObject):
            connection.execute(f"create role {STRANGE_ROLE} login password '{STRANGE_ROLE}'")
        yield given
        _drop_left(given)
        return
    data_dir = tmp_path_factory.getbasetemp() / "postgres"
    with ensure(data_dir=data_dir, linger_seconds=0.0) as server:
        _hub.update({name: str(conninfo_to_dict(server.dsn)[name]) for name in ("user", "password")})
        with psycopg.connect(server.owner_dsn, autocommit=True) as connection:
            # Its transactions would be waited for at moments that nobody can foresee.
            connection.execute("alter system set autovacuum = off")
            connection.execute("select pg_reload_conf()")
        yield server.owner_dsn
    with contextlib.suppress(ServerInUse, NotFound):  # A test may still hold it.
        remove(data_dir=data_dir, wait_seconds=3.0)


STRANGE_ROLE = "comity_tests"
"""The hub's role on a server of somebody else."""

_hub: dict[str, str] = {}
"""Name and password of the hub's role: the embedded server's own."""


def _create_database(server_dsn: str, name: str, template: str) -> str:
    """Make a database and give its address for the hub's role, which owns none of it."""
    is_new = template == "template0"
    text = "create database {} template {} encoding 'UTF8'" if is_new else "create database {} template {}"
    role = sql.Identifier(_hub["user"])
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        connection.execute(sql.SQL(text).format(sql.Identifier(name), sql.Identifier(template)))
        connection.execute(sql.SQL("grant create on database {} to {}").format(sql.Identifier(name), role))
    dsn = make_conninfo(server_dsn, dbname=name)
    if is_new:
        with psycopg.connect(dsn, autocommit=True) as connection:  # For tables of the tests' own.
            connection.execute(sql.SQL("grant create on schema public to {}").format(role))
    return make_conninfo(dsn, **_hub)


@pytest.fixture(scope="session")
def to_owner(server_dsn: str) -> Callable[[Database], str]:
    """Give the address of a database for the superuser who owns it."""
    return lambda database: make_conninfo(server_dsn, dbname=str(conninfo_to_dict(database.dsn)["dbname"]))


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
def template_database(server_dsn: str, to_owner: Callable[[Database], str]) -> Iterator[str]:
    """The name of a migrated database that others are copied from."""
    name = f"template_{uuid4().hex[:12]}"
    database = Database(dsn=_create_database(server_dsn, name, "template0"))
    owner = Database(dsn=to_owner(database))
    kernel_migrate.migrate(database, rooms=ROOMS, kept=KEPT, owner=owner)
    database.close()
    owner.close()
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
def forge(to_owner: Callable[[Database], str]) -> Callable[..., int]:
    """Change what may not be changed, as somebody who owns the database and switched the triggers off."""

    def run(database: Database, text: str) -> int:
        with psycopg.connect(to_owner(database)) as connection:
            connection.execute("set session_replication_role = replica")
            return connection.execute(text.encode()).rowcount

    return run


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at a fixed time until it is moved."""
    return ManualClock(NOW)


@pytest.fixture
def ids() -> SeededIds:
    """The same identifiers in every run."""
    return SeededIds(20260303)
