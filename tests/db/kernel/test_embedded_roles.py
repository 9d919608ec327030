"""The embedded cluster has two roles: one that owns it, and the hub's, which is nobody in particular."""

import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

import psycopg
import pytest

from comity.kernel.embedded import create_database, ensure, remove
from comity.kernel.embedded.binaries import find_programs
from comity.kernel.embedded.home import settle

FORMER_PASSWORD = "it's a secret"


@pytest.fixture
def data_dir():
    """A data folder that every account may pass through, as /srv is."""
    folder = Path(tempfile.mkdtemp(prefix="comity-test-"))
    folder.chmod(0o755)
    yield folder / "data"
    remove(data_dir=folder / "data")
    shutil.rmtree(folder)


@pytest.fixture
def former(data_dir):
    """The data folder of an earlier version: the hub's role is the superuser of initdb, and owns what it made."""
    home = settle(data_dir)
    programs, account = find_programs(home.account), home.account
    as_server = {"user": account.user, "group": account.group, "extra_groups": account.extra_groups, "cwd": "/"}
    home.password.touch(mode=0o600)
    home.password.write_text(FORMER_PASSWORD)
    with tempfile.NamedTemporaryFile("w") as word:
        word.write(FORMER_PASSWORD)
        word.flush()
        account.own(Path(word.name))
        home.cluster.mkdir(mode=0o700)
        account.own(home.cluster)
        initdb = [programs / "initdb", "-D", home.cluster, "-U", "comity", "--pwfile", word.name]
        initdb += ["--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale", "--no-instructions"]
        subprocess.run(initdb, check=True, capture_output=True, **as_server)
    text = "create database comity\ncreate database more\ncreate table kept ()\n"
    single = [programs / "postgres", "--single", "-D", home.cluster, "postgres"]
    subprocess.run(single, input=text.encode(), check=True, capture_output=True, **as_server)
    return data_dir


def ask(dsn, question):
    with psycopg.connect(dsn, autocommit=True) as connection:
        return connection.execute(question).fetchone()


def require_two_roles(server):
    who = """
        select current_user, session_user, rolsuper, rolcreaterole, rolcreatedb,
               pg_has_role(current_user, 'comity_owner', 'member'),
               has_database_privilege(current_database(), 'create'), pg_has_role(datdba, 'member')
        from pg_roles, pg_database where rolname = current_user and datname = current_database()
    """
    for dsn in (server.dsn, create_database(server, "more")):
        assert ask(dsn, who) == ("comity", "comity", False, False, False, False, True, False)
    assert ask(server.owner_dsn, "select current_user, rolsuper from pg_roles where rolname = current_user") == (
        "comity_owner",
        True,
    )
    for text in ("set role comity_owner", "set session_replication_role = replica", "drop database more"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            ask(server.dsn, text)
    assert stat.S_IMODE(server.home.owner_password.stat().st_mode) == 0o600


def test_a_new_cluster_has_two_roles(data_dir):
    with ensure(data_dir=data_dir, linger_seconds=0.0) as server:
        require_two_roles(server)


def test_a_cluster_of_an_earlier_version_gets_a_second_one(former):
    """Its data belongs to the owner then; the hub's password stays. Were the owner's lost, it gets another one."""
    with ensure(data_dir=former, linger_seconds=0.0) as server:
        require_two_roles(server)
        assert server.home.password.read_text() == FORMER_PASSWORD
        first = server.home.owner_password.read_text()
        kept = "select tableowner from pg_tables where tablename = 'kept'"
        assert ask(server.owner_dsn_for("postgres"), kept) == ("comity_owner",)
        assert ask(server.owner_dsn, "select count(*) from pg_roles where rolname like 'comity%'") == (2,)
        server.close(wait_seconds=60.0)
    server.home.owner_password.unlink()
    with ensure(data_dir=former, linger_seconds=0.0) as server:
        require_two_roles(server)
        assert server.home.owner_password.read_text() != first
