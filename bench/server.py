"""A database server for one run, and pgbench on it."""

import os
import re
import socket
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from comity.kernel.embedded import EmbeddedServer, create_database, ensure, remove
from comity.kernel.embedded.binaries import find_programs
from comity.kernel.embedded.home import settle
from comity.kernel.embedded.roles import DATABASE

CLIENTS = 8
ROW_BYTES = 850
INSERT_TABLE = """
create table bench_event (
    event_id bigint generated always as identity primary key,
    reference text not null, received_at timestamptz not null default now(), payload text not null
)
"""
INSERT_SCRIPT = f"""\\set reference random(1, 1000000000)
insert into bench_event (reference, payload) values (:reference, '{"x" * ROW_BYTES}');
"""  # noqa: S608 - a constant text for pgbench.
_RATE = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)


class Server(msgspec.Struct, kw_only=True):
    """The server of a run: a data folder of its own that the product's processes can be pointed at."""

    folder: Path
    embedded: EmbeddedServer

    @property
    def data_dir(self) -> Path:
        """What COMITY_DATA_DIR is for processes of the product."""
        return self.folder / "data"

    def create(self, name: str) -> str:
        """Create an empty database and return its address."""
        return create_database(self.embedded, name)

    def vacuum(self, name: str = DATABASE) -> None:
        """Clear up and count the rows of a database, also those of its owner's."""
        with psycopg.connect(self.embedded.owner_dsn_for(name), autocommit=True) as connection:
            connection.execute("vacuum analyze")
            connection.execute("checkpoint")

    def drop(self, name: str) -> None:
        """Take a database away."""
        with psycopg.connect(self.embedded.owner_dsn, autocommit=True) as connection:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@contextmanager
def open_server() -> Generator[Server]:
    """Start a server with a fresh cluster; take both away at the end."""
    with tempfile.TemporaryDirectory(prefix="comity-bench-") as name:
        folder = Path(name)
        place = folder / "data" / "postgres"
        try:
            with ensure(data_dir=place, linger_seconds=0.0) as embedded:
                yield Server(folder=folder, embedded=embedded)
        finally:
            remove(data_dir=place)


class Pgbench:
    """pgbench on a database of its own, on the same server, with prepared statements."""

    def __init__(self, server: Server, *, scale: int) -> None:
        """Make its tables; a scale is 100,000 accounts."""
        self._program = find_programs(settle(server.data_dir / "postgres").account) / "pgbench"
        server.create("pgbench")
        self._environment = _environment_of(server.embedded.owner_dsn_for("pgbench"))
        self._script = server.folder / "insert.sql"
        self._script.write_text(INSERT_SCRIPT, encoding="utf-8")
        self._run("--initialize", "--quiet", f"--scale={scale}")
        self._psql(INSERT_TABLE)

    def run_tpcb(self, seconds: int) -> float:
        """Return transactions a second of TPC-B at 8 clients."""
        return self._rate("--builtin=tpcb-like", seconds=seconds)

    def run_inserts(self, seconds: int) -> float:
        """Return transactions a second of inserting one row of 0.9 kB at 8 clients."""
        return self._rate(f"--file={self._script}", seconds=seconds)

    def _rate(self, script: str, *, seconds: int) -> float:
        output = self._run(
            script,
            f"--time={seconds}",
            f"--client={CLIENTS}",
            "--jobs=2",
            "--protocol=prepared",
            "--no-vacuum",
        )
        found = _RATE.search(output)
        if found is None:
            raise RuntimeError(f"pgbench said nothing of its rate: {output}")
        return float(found.group(1))

    def _psql(self, text: str) -> None:
        psql = self._program.with_name("psql")
        subprocess.run(  # noqa: S603 - a program of the server's own package, with text of ours.
            [psql, "--quiet", "--command", text], env=self._environment, check=True, timeout=60
        )

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(  # noqa: S603 - a program of the server's own package.
            [self._program, *arguments],
            env=self._environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=600,
        )
        return done.stdout


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment_of(dsn: str) -> dict[str, str]:
    given = conninfo_to_dict(dsn)
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
    return {"PATH": os.defpath, **{variable: str(given[key]) for key, variable in names.items() if given.get(key)}}
