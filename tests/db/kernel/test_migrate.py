"""Bringing a database to the schema of this version: what is missing, once, and nothing else."""

import importlib
import sys
from contextlib import closing

import pytest
from psycopg import sql

import comity
from comity.kernel import migrate as kernel_migrate
from comity.kernel.database import Database
from comity.kernel.migrate import MigrationBlocked, SchemaMissing, SchemaOutdated, has_schema, migrate, require_schema
from tests.conftest import KEPT, ROOMS

OWN = ("kernel", "lower", "upper")


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write files of rooms of the test's own: `write("lower/functions/name.sql", "create ...")`."""
    monkeypatch.setattr(comity, "__path__", [*comity.__path__, str(tmp_path)])

    def call(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    for room in OWN[1:]:
        call(f"{room}/__init__.py", "")
    importlib.invalidate_caches()
    yield call
    for room in OWN[1:]:
        sys.modules.pop(f"comity.{room}", None)


@pytest.fixture
def rooms(write):
    """Two rooms: `upper` has a view on a view of `lower`."""
    write("lower/migrations/0001_initial/up.sql", "create schema lower; create table lower.thing (a int)")
    write("lower/functions/views.sql", "create or replace view lower.v_thing as select a from lower.thing")
    write("upper/migrations/0001_initial/up.sql", "create schema upper")
    write("upper/functions/views.sql", "create or replace view upper.v_thing as select a from lower.v_thing")
    return OWN


def put_by_hand(database, view):
    """Replace a view by one that says -1, so that it can be told whether it was put in again."""
    with database.transaction() as tx:
        tx.execute(f"create or replace view {view} as select -1 as a")


def is_by_hand(database, view):
    with database.transaction() as tx:
        return tx.execute(sql.SQL("select a from {}").format(sql.Identifier(*view.split(".")))).fetchall() == [(-1,)]


class TestMigrate:
    def test_locks_nothing_when_nothing_is_missing(self, database):
        """Somebody else's transaction that has read our views keeps no process from starting."""
        with database.transaction() as reader:
            reader.execute("select from ledger.v_balance, identity.v_record")
            assert migrate(database, rooms=ROOMS) == []

    def test_waits_for_nobody_when_nothing_is_missing(self, database):
        """Nor does another process that is migrating."""
        with database.transaction() as other:
            other.execute("select pg_advisory_xact_lock(7202611)")
            assert migrate(database, rooms=ROOMS) == []

    def test_puts_functions_in_once(self, empty_database, rooms):
        applied = migrate(empty_database, rooms=rooms)
        assert applied[-2:] == ["lower/functions", "upper/functions"]
        put_by_hand(empty_database, "upper.v_thing")
        assert migrate(empty_database, rooms=rooms) == []
        assert is_by_hand(empty_database, "upper.v_thing")

    def test_puts_changed_functions_in_again(self, empty_database, rooms, write):
        migrate(empty_database, rooms=rooms)
        put_by_hand(empty_database, "lower.v_thing")
        put_by_hand(empty_database, "upper.v_thing")
        write("upper/functions/views.sql", "create or replace view upper.v_thing as select a + 1 as a from lower.thing")
        assert migrate(empty_database, rooms=rooms) == ["upper/functions"]
        assert is_by_hand(empty_database, "lower.v_thing") and not is_by_hand(empty_database, "upper.v_thing")

    def test_puts_in_again_what_stands_on_changed_functions(self, empty_database, rooms, write):
        migrate(empty_database, rooms=rooms)
        write("lower/functions/views.sql", "create or replace view lower.v_thing as select a, 1 as b from lower.thing")
        assert migrate(empty_database, rooms=rooms) == ["lower/functions", "upper/functions"]

    def test_puts_in_again_what_a_migration_had_to_drop(self, empty_database, rooms, write):
        """A view downstream goes with the view it stands on, and comes back though its own text is the same."""
        migrate(empty_database, rooms=rooms)
        write(
            "lower/migrations/0002_whole/up.sql",
            "drop view lower.v_thing cascade; alter table lower.thing alter a type bigint",
        )
        assert migrate(empty_database, rooms=rooms) == ["lower/0002_whole", "lower/functions", "upper/functions"]
        with empty_database.transaction() as tx:
            assert tx.execute("select a from upper.v_thing").description[0].type_display == "int8"

    def test_knows_what_was_noted_when_a_migration_had_two_files(self, empty_database, rooms):
        migrate(empty_database, rooms=rooms)
        with empty_database.transaction() as tx:
            tx.execute("delete from kernel.migration where name = '0002_one_file'")
            tx.execute("alter table kernel.migration drop constraint migration_pkey")
            tx.execute("alter table kernel.migration add column phase text not null default 'pre'")
            tx.execute("alter table kernel.migration add primary key (room, name, phase)")
            tx.execute("insert into kernel.migration (room, name, phase) values ('upper', '0001_initial', 'post')")
        assert migrate(empty_database, rooms=rooms) == ["kernel/0002_one_file"]
        assert migrate(empty_database, rooms=rooms) == []

    def test_leaves_the_functions_of_a_newer_version_alone(self, empty_database, rooms):
        """A process of the former version that starts again, while the hub is brought forward."""
        migrate(empty_database, rooms=rooms)
        with empty_database.transaction() as tx:
            tx.execute("insert into kernel.migration (room, name) values ('upper', '0002_newer')")
            tx.execute("update kernel.function_set set digest = 'newer'")
        put_by_hand(empty_database, "upper.v_thing")
        assert migrate(empty_database, rooms=rooms) == []
        assert is_by_hand(empty_database, "upper.v_thing")
        require_schema(empty_database, rooms=rooms)

    @pytest.mark.parametrize(
        "lock", ["select pg_advisory_xact_lock(7202611)", "lock table ledger.v_balance in access share mode"]
    )
    def test_gives_up_when_it_gets_no_lock(self, database, to_owner, monkeypatch, lock):
        """Another migration that goes on, or a transaction that has read what is to be replaced."""
        monkeypatch.setattr(kernel_migrate, "LOCK_TIMEOUT", "set local lock_timeout = '100ms'")
        with database.transaction() as tx:
            tx.execute("delete from kernel.function_set where room = 'ledger'")
        with database.transaction() as other:
            other.execute(lock)
            with closing(Database(dsn=to_owner(database))) as owner, pytest.raises(MigrationBlocked):
                migrate(database, rooms=ROOMS, kept=KEPT, owner=owner)
        with closing(Database(dsn=to_owner(database))) as owner:
            assert migrate(database, rooms=ROOMS, kept=KEPT, owner=owner) == ["ledger/functions"]


class TestRequireSchema:
    def test_is_content_with_the_schema_of_this_version(self, database):
        assert has_schema(database)
        require_schema(database, rooms=ROOMS)

    def test_says_that_there_is_none(self, empty_database):
        assert not has_schema(empty_database)
        with pytest.raises(SchemaMissing) as raised:
            require_schema(empty_database, rooms=ROOMS)
        assert "comity apply" in raised.value.details["remedy"]
        assert not has_schema(empty_database)

    def test_says_what_an_older_one_lacks(self, empty_database, rooms, write):
        migrate(empty_database, rooms=rooms)
        write("upper/migrations/0002_more/up.sql", "create table upper.more ()")
        with pytest.raises(SchemaOutdated) as raised:
            require_schema(empty_database, rooms=rooms)
        assert raised.value.details["missing"] == ["upper/0002_more", "upper/functions"]

    def test_says_which_functions_differ(self, database):
        with database.transaction() as tx:
            tx.execute("update kernel.function_set set digest = 'older' where room = 'ledger'")
        with pytest.raises(SchemaOutdated) as raised:
            require_schema(database, rooms=ROOMS)
        assert raised.value.details["missing"] == ["ledger/functions"]
