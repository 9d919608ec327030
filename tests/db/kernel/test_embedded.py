"""The embedded server under violence: nothing is stubbed, processes are really killed."""

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from comity.kernel.embedded import (
    HomeUnusable,
    ServerFailed,
    ServerInUse,
    create_database,
    ensure,
    remove,
)
from comity.kernel.embedded.account import current_account
from comity.kernel.embedded.home import Home, find_home
from comity.kernel.embedded.locks import FileLock
from comity.kernel.embedded.postmaster import find_running, serving
from comity.kernel.errors import NotFound

SECONDS_MAX = 120.0
needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")

CLIENT = """
import os, pathlib, sys, time
from comity.kernel.embedded import ensure
server = ensure(data_dir=pathlib.Path(sys.argv[1]), linger_seconds=0.2)
if "fork" in sys.argv:
    if os.fork() == 0:
        time.sleep(600)
        os._exit(0)
print(server.dsn, flush=True)
sys.stdin.read()
"""


def wait_until(condition, what):
    deadline = time.monotonic() + SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline, f"waited too long until {what}"
        time.sleep(0.02)


def ask(dsn, question="select 1", *args):
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(question, args or None)
        return cursor.fetchone()[0] if cursor.description else None


def answers(dsn):
    try:
        return ask(dsn) == 1
    except psycopg.OperationalError:
        return False


def is_gone(home):
    lock = FileLock(home.guard_lock)
    try:
        return lock.try_exclusive() and find_running(home) is None and not list(serving(home))
    finally:
        lock.close()


def guard_of(home):
    """The guard's process id, asked from the kernel: it is the parent of the postmaster."""
    text = Path(f"/proc/{find_running(home).process_id}/stat").read_text()
    return int(text.rpartition(")")[2].split()[1])


@contextlib.contextmanager
def client(data_dir, *words):
    process = subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(data_dir), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        process.dsn = process.stdout.readline().strip()
        assert process.dsn
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


@pytest.fixture(scope="module")
def place():
    """A folder that every account may pass through, as /srv is."""
    folder = Path(tempfile.mkdtemp(prefix="comity-test-"))
    folder.chmod(0o755)
    yield folder
    for home in [path.parent for path in folder.rglob("users.lock")]:
        wait_until(lambda home=home: is_gone(Home(path=home, account=current_account())), "the server is gone")
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def kept(place):
    """One data folder for the tests that only need a server with a past."""
    data_dir = place / "kept"
    with ensure(data_dir=data_dir, linger_seconds=0.2) as server:
        ask(server.owner_dsn, "create table fact (number int)")
        ask(server.owner_dsn, "insert into fact select generate_series(1, 10000)")
    return data_dir


@pytest.fixture
def home(kept):
    home = find_home(kept)
    yield home
    wait_until(lambda: is_gone(home), "the server is gone")


class TestEnsure:
    def test_starts_a_server_that_knows_letters_beyond_ascii(self, kept):
        with ensure(data_dir=kept, linger_seconds=0.2) as server:
            assert ask(server.dsn, "select lower('JOSÉ ŻÓŁĆ')") == "josé żółć"
            assert ask(server.owner_dsn, "select count(*) from fact") == 10000
            assert ask(server.dsn, "show fsync") == "on"

    def test_listens_on_a_socket_that_only_its_owner_reaches(self, kept):
        with ensure(data_dir=kept, linger_seconds=0.2) as server:
            assert ask(server.dsn, "show listen_addresses") == ""
            folder = Path(ask(server.owner_dsn, "show unix_socket_directories").strip('"'))
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert stat.S_IMODE(server.home.password.stat().st_mode) == 0o600
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                ask(server.dsn.replace(server._password, "guess"))

    def test_listens_on_a_port_when_asked_and_refuses_another_one(self, kept, free_port):
        with ensure(data_dir=kept, port=free_port, linger_seconds=0.2) as server:
            by_port = f"postgresql://comity:{server._password}@127.0.0.1:{free_port}/comity"
            assert ask(by_port) == 1
            with pytest.raises(ServerInUse, match=f"on port {free_port}"):
                ensure(data_dir=kept, port=free_port + 1)
            with ensure(data_dir=kept) as second:
                assert second.dsn == server.dsn

    def test_makes_a_database_with_the_servers_own_locale(self, kept):
        with ensure(data_dir=kept, linger_seconds=0.2) as server:
            dsn = create_database(server, "Extra one")
            assert create_database(server, "Extra one") == dsn
            assert ask(dsn, "select current_database() || lower('É')") == "Extra oneé"

    def test_stops_with_its_last_user(self, kept, home):
        first, second = ensure(data_dir=kept, linger_seconds=0.2), ensure(data_dir=kept)
        first.close()
        time.sleep(0.6)
        assert answers(second.dsn)
        assert second.close(wait_seconds=SECONDS_MAX)
        assert is_gone(home)

    def test_gives_newcomers_a_working_server_while_it_stops(self, kept):
        for _ in range(5):
            with ensure(data_dir=kept, linger_seconds=0.0) as server:
                assert answers(server.dsn)
            time.sleep(0.12)

    def test_reports_how_long_it_waits(self, place):
        heard = []
        data_dir = place / "progress"
        with ensure(
            data_dir=data_dir, linger_seconds=0.0, progress=lambda seconds, text: heard.append((seconds, text))
        ):
            pass
        assert all(seconds >= 1.0 and text for seconds, text in heard)


@needs_proc
class TestSurvival:
    def test_comes_back_with_all_rows_after_the_server_is_killed(self, kept, home):
        with ensure(data_dir=kept, linger_seconds=0.2) as server:
            ask(server.owner_dsn, "insert into fact values (0)")
            before = find_running(home).process_id
            os.kill(before, signal.SIGKILL)
            wait_until(lambda: answers(server.dsn) and find_running(home).process_id != before, "it serves again")
            assert ask(server.owner_dsn, "select count(*) from fact where number = 0") == 1
            ask(server.owner_dsn, "delete from fact where number = 0")

    def test_survives_busy_sessions_of_a_killed_server(self, kept, home):
        with ensure(data_dir=kept, linger_seconds=0.2) as server:
            busy = psycopg.connect(server.owner_dsn)
            busy.execute("begin; insert into fact values (-1)")
            os.kill(find_running(home).process_id, signal.SIGKILL)
            wait_until(lambda: answers(server.dsn), "it serves again")
            assert ask(server.owner_dsn, "select count(*) from fact where number = -1") == 0
            busy.close()

    def test_keeps_its_address_when_the_guard_is_killed(self, kept, home):
        with ensure(data_dir=kept, linger_seconds=0.2) as server:
            guard = guard_of(home)
            os.kill(guard, signal.SIGKILL)
            wait_until(lambda: answers(server.dsn) and guard_of(home) != guard, "another guard serves")
            with client(kept) as second:
                assert second.dsn == server.dsn
        wait_until(lambda: is_gone(home), "the server is gone")

    def test_a_client_that_comes_right_after_the_guards_death_is_served(self, kept, home):
        with client(kept):
            os.kill(guard_of(home), signal.SIGKILL)
            with ensure(data_dir=kept, linger_seconds=0.2) as server:
                wait_until(lambda: answers(server.dsn), "it serves")

    def test_is_stopped_although_one_client_was_killed(self, kept, home):
        with client(kept) as killed, client(kept) as last:
            killed.kill()
            killed.wait()
            time.sleep(0.6)
            assert answers(last.dsn)
            last.stdin.close()
            wait_until(lambda: is_gone(home), "the server is gone")

    def test_leaves_nothing_running_when_clients_and_guard_are_killed_at_once(self, kept, home):
        with client(kept) as only:
            guard = guard_of(home)
            only.kill()
            os.kill(guard, signal.SIGKILL)
            wait_until(lambda: is_gone(home), "the server is gone")

    def test_is_not_kept_alive_by_a_forked_child(self, kept, home):
        with client(kept, "fork") as parent:
            [child] = map(int, Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split())
            parent.kill()
            parent.wait()
            try:
                wait_until(lambda: is_gone(home), "the server is gone")
                os.kill(child, 0)
            finally:
                os.kill(child, signal.SIGKILL)

    @pytest.mark.parametrize("kind", ["alive", "zombie"])
    def test_takes_no_other_process_for_its_server(self, kept, home, kind):
        with ensure(data_dir=kept, linger_seconds=0.0):
            lines = (home.cluster / "postmaster.pid").read_text()
        wait_until(lambda: is_gone(home), "the server is gone")
        other = subprocess.Popen([shutil.which("sleep"), "600"], user=home.account.user)
        try:
            if kind == "zombie":
                other.kill()
            pid_file = home.cluster / "postmaster.pid"
            pid_file.write_text(lines.replace(lines.splitlines()[0], str(other.pid), 1))
            home.account.own(pid_file)
            with ensure(data_dir=kept, linger_seconds=0.2) as server:
                assert answers(server.dsn)
        finally:
            other.kill()
            other.wait()


class TestTrouble:
    def test_names_the_remedy_for_data_of_another_version(self, kept, home):
        version = home.cluster / "PG_VERSION"
        right = version.read_text()
        version.write_text("14\n")
        try:
            with pytest.raises(ServerFailed, match=r"written by PostgreSQL 14.*pg_dump"):
                ensure(data_dir=kept)
        finally:
            version.write_text(right)

    def test_shows_what_the_server_said_and_recovers_when_it_is_mended(self, kept, home):
        settings = home.cluster / "postgresql.auto.conf"
        right = settings.read_text()
        settings.write_text("work_mem = 'plenty'\n")
        try:
            with pytest.raises(ServerFailed, match=r"(?s)plenty.*COMITY_DATABASE_URL"):
                ensure(data_dir=kept)
        finally:
            settings.write_text(right)
        with ensure(data_dir=kept, linger_seconds=0.2) as server:
            assert answers(server.dsn)

    def test_refuses_a_folder_it_may_not_use(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(HomeUnusable, match="cannot be used"):
            ensure(data_dir=tmp_path / "file" / "data")

    def test_works_with_names_that_are_hard_to_quote(self, place):
        data_dir = place / 'it\'s, a "folder" \\ ü'
        with ensure(data_dir=data_dir, linger_seconds=0.0) as server:
            assert answers(server.dsn)

    def test_works_below_a_path_longer_than_a_socket_name_may_be(self, place):
        data_dir = place / ("long" * 20) / ("longer" * 20)
        with ensure(data_dir=data_dir, linger_seconds=0.0) as server:
            folder = Path(ask(server.owner_dsn, "show unix_socket_directories").strip('"'))
            assert answers(server.dsn)
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert server.close(wait_seconds=SECONDS_MAX)
        assert not folder.exists()


class TestRemove:
    def test_deletes_the_database_but_not_under_somebody(self, place):
        data_dir = place / "removed"
        with ensure(data_dir=data_dir, linger_seconds=0.0) as server:
            ask(server.owner_dsn, "create table old ()")
            with pytest.raises(ServerInUse):
                remove(data_dir=data_dir, wait_seconds=0.3)
        remove(data_dir=data_dir)
        with pytest.raises(NotFound):
            remove(data_dir=data_dir)
        with ensure(data_dir=data_dir, linger_seconds=0.0) as server:
            assert ask(server.owner_dsn, "select to_regclass('old')") is None


@pytest.fixture
def free_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
