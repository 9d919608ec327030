"""What Comity asks of a server that somebody else runs, against databases that really are set wrongly."""

import socket
import time
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from comity.kernel.database import Database
from comity.kernel.embedded import ServerUnsuitable, check_settings, find_problems
from comity.kernel.embedded.check import ServerRefuses, ServerUnreachable, judge
from comity.kernel.embedded.tuning import MEGABYTE, settings_text
from tests.conftest import NOW

FINE = {
    "version": 18,
    "encoding": "UTF8",
    "lowered": "jos\u00e9",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "strings": "on",
    "isolation": "read committed",
    "connections": 100,
    "reserved": 3,
    "read_only": "off",
    "recovery": False,
    "may_create": True,
    "database": "hub",
    "role": "hub",
    "replication_role": "origin",
    "transaction_timeout": "0",
}


@pytest.fixture
def admin(server_dsn):
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def database_with(admin, server_dsn):
    """Make databases by the text after their name; they are dropped at the end."""
    made = []

    def make(options="", settings=()):
        name = f"check_{uuid4().hex[:12]}"
        admin.execute(sql.SQL("create database {} template template0 " + options).format(sql.Identifier(name)))
        made.append(name)
        for setting in settings:
            admin.execute(sql.SQL("alter database {} set " + setting).format(sql.Identifier(name)))
        return psycopg.conninfo.make_conninfo(server_dsn, dbname=name)

    yield make
    for name in made:
        admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def names(dsn):
    return {problem.setting for problem in find_problems(dsn)}


class TestFindProblems:
    def test_finds_nothing_wrong_with_the_embedded_server(self, server_dsn):
        check_settings(server_dsn)

    def test_names_encoding_and_locale(self, database_with):
        assert "server_encoding" in names(database_with("encoding 'SQL_ASCII' locale_provider libc locale 'C'"))
        [problem] = find_problems(database_with("encoding 'UTF8' locale_provider libc locale 'C'"))
        assert "josÉ" in problem.found
        assert "create database" in problem.remedy

    def test_names_each_setting_with_what_to_run(self, admin, database_with):
        version = admin.info.server_version // 10000
        wrong = {
            "synchronous_commit": "off",
            "standard_conforming_strings": "off",
            "default_transaction_isolation": "serializable",
            "default_transaction_read_only": "on",
            "session_replication_role": "replica",
            **({"transaction_timeout": "1h"} if version >= 17 else {}),
        }
        dsn = database_with(settings=[f"{name} = '{value}'" for name, value in wrong.items()])
        found = {problem.setting: problem for problem in find_problems(dsn)}
        assert set(found) == set(wrong)
        for name, value in wrong.items():
            assert found[name].found == value
            assert f"set {name}" in found[name].remedy
        with pytest.raises(ServerUnsuitable) as raised:
            check_settings(dsn)
        assert "synchronous_commit is off, and Comity needs on. Run: alter role" in raised.value.message
        assert set(raised.value.details["settings"]) == set(wrong)

    def test_names_the_missing_right_to_create_schemas(self, admin, database_with):
        role = f"check_{uuid4().hex[:12]}"
        dsn = database_with()
        admin.execute(sql.SQL("create role {} login password 'guest'").format(sql.Identifier(role)))
        try:
            [problem] = find_problems(psycopg.conninfo.make_conninfo(dsn, user=role, password="guest"))
            assert "create schemas" in problem.setting
            admin_there = psycopg.connect(dsn, autocommit=True)
            admin_there.execute(problem.remedy.removeprefix("Run: "))
            admin_there.close()
            assert not find_problems(psycopg.conninfo.make_conninfo(dsn, user=role, password="guest"))
        finally:
            admin.execute(sql.SQL("drop owned by {}").format(sql.Identifier(role)))
            admin.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))

    def test_says_that_nobody_answers(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        began = time.monotonic()
        with pytest.raises(ServerUnreachable, match="does not answer") as raised:
            find_problems(f"postgresql://127.0.0.1:{port}/hub")
        assert time.monotonic() - began < 60
        assert "host and port" in raised.value.details["remedy"]

    def test_says_that_there_is_no_such_database(self, server_dsn):
        with pytest.raises(ServerRefuses, match="nowhere") as raised:
            find_problems(psycopg.conninfo.make_conninfo(server_dsn, dbname="nowhere"))
        assert "create database NAME" in raised.value.details["remedy"]

    @pytest.mark.parametrize(
        ("change", "remedy"),
        [("login password 'right'", "password"), ("nologin password 'wrong'", "may log in")],
    )
    def test_says_that_the_user_is_not_let_in(self, admin, server_dsn, change, remedy):
        role = f"check_{uuid4().hex[:12]}"
        admin.execute(sql.SQL("create role {} " + change).format(sql.Identifier(role)))
        try:
            with pytest.raises(ServerRefuses) as raised:
                find_problems(psycopg.conninfo.make_conninfo(server_dsn, user=role, password="wrong"))
            assert remedy in raised.value.details["remedy"]
        finally:
            admin.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))


@pytest.mark.parametrize(
    "setting",
    [
        "datestyle = 'German'",
        "intervalstyle = 'iso_8601'",
        "client_encoding = 'SQL_ASCII'",
        "client_encoding = 'LATIN1'",
        "timezone = 'Asia/Tokyo'",
        "statement_timeout = '50ms'",
        "idle_in_transaction_session_timeout = '50ms'",
        "idle_session_timeout = '50ms'",
    ],
)
def test_sessions_are_ours_whatever_the_database_says(database_with, setting):
    dsn = database_with(settings=[setting])
    check_settings(dsn)
    database = Database(dsn=dsn)
    try:
        with database.transaction() as tx:
            row = tx.execute(
                "select '\u0160\u00fc'::text, %s::text::timestamptz, %s::text::interval, pg_sleep(0.2)",
                (str(NOW), "1 day 2 hours"),
            ).fetchone()
            time.sleep(0.2)
            assert row[:3] == ("\u0160\u00fc", NOW, timedelta(days=1, hours=2))
            tx.execute("select")
        with database.connect() as connection:
            time.sleep(0.2)
            assert connection.execute("select now()").fetchone()[0].utcoffset() == timedelta(0)
    finally:
        database.close()


class TestJudge:
    def test_accepts_what_is_fine(self):
        assert judge(FINE) == []

    @pytest.mark.parametrize(
        ("wrong", "setting", "remedy"),
        [
            ({"version": 14}, "PostgreSQL's version", "Upgrade"),
            ({"fsync": "off"}, "fsync", "alter system set fsync = on; select pg_reload_conf();"),
            ({"full_page_writes": "off"}, "full_page_writes", "alter system"),
            ({"connections": 20}, "max_connections", "max_connections = 100"),
            ({"recovery": True, "read_only": "on"}, "the server", "primary"),
            ({"may_create": False, "role": 'o"dd'}, 'the right of "o""dd" to create schemas', 'to "o""dd"'),
        ],
    )
    def test_names_what_is_wrong(self, wrong, setting, remedy):
        [problem] = judge({**FINE, **wrong})
        assert problem.setting == setting
        assert remedy in problem.remedy


class TestSettingsText:
    def test_stays_modest_on_small_and_large_machines(self):
        small = settings_text(cluster=Path("/c"), memory_bytes=512 * MEGABYTE, shared_memory_bytes=64 * MEGABYTE)
        large = settings_text(cluster=Path("/c"), memory_bytes=512 * 1024 * MEGABYTE, shared_memory_bytes=1 << 40)
        assert "shared_buffers = '128MB'" in small
        assert "dynamic_shared_memory_type = 'mmap'" in small
        assert "shared_buffers = '4096MB'" in large
        assert "dynamic_shared_memory_type" not in large
