"""Intake: events over HTTP into the inbox, against pgbench inserting one row of the same size on the same server.

The real web process on a fresh embedded database. A single event: key checked, stream checked, deduplicated,
committed before the answer 202; 64 connections. Bulk: requests of 1,000 lines of NDJSON, 4 connections.
"""

import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException

import msgspec

from bench.hub import create_key, open_hub
from bench.load import Order, Outcome
from bench.report import Options, Row, Wanted, compare, read_options, say, show, take_turns
from bench.server import Pgbench, Server, free_port, open_server
from comity.wiring import Hub

TITLE = "intake"
HOST = "127.0.0.1"
START_SECONDS_MAX = 60.0
LINES = 1_000


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How much is done."""

    seconds: int
    repeats: int


FULL = Size(seconds=6, repeats=5)
QUICK = Size(seconds=2, repeats=2)


class Web:
    """The web process of a hub, and load on it."""

    def __init__(self, *, port: int, key: str) -> None:
        """Take where it listens."""
        self._port = port
        self._key = key
        self._runs = 0
        self.accepted = 0
        self.single: list[Outcome] = []
        self.bulk: list[Outcome] = []

    def run_single(self, seconds: float) -> float:
        """Return single events a second at 64 connections."""
        self.single.append(self._run(seconds=seconds, connections=64, lines=0))
        return self.single[-1].accepted / self.single[-1].seconds

    def run_bulk(self, seconds: float) -> float:
        """Return events a second in bulk requests at 4 connections."""
        self.bulk.append(self._run(seconds=seconds, connections=4, lines=LINES))
        return self.bulk[-1].accepted / self.bulk[-1].seconds

    def _run(self, *, seconds: float, connections: int, lines: int) -> Outcome:
        self._runs += 1
        order = Order(
            host=HOST,
            port=self._port,
            key=self._key,
            run=f"run{self._runs}",
            connections=connections,
            seconds=seconds,
            lines=lines,
        )
        done = subprocess.run(
            [sys.executable, "-m", "bench.load"],
            input=msgspec.json.encode(order),
            stdout=subprocess.PIPE,
            check=True,
            timeout=seconds + 120,
        )
        outcome = msgspec.json.decode(done.stdout, type=Outcome)
        if outcome.refused:
            raise RuntimeError(f"{outcome.refused} events were not accepted.")
        self.accepted += outcome.accepted
        return outcome


@contextmanager
def serve(server: Server, hub: Hub) -> Generator[Web]:
    """Run the web process on the hub's database."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COMITY_")} | {
        "COMITY_DATA_DIR": str(server.data_dir),
        "COMITY_PROJECT_DIR": str(hub.settings.project_dir),
        "COMITY_HOST": HOST,
        "COMITY_PORT": str(port),
        "COMITY_LOG_LEVEL": "warning",
    }
    command = [sys.executable, "-m", "comity.interfaces.rest"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603 - our own module.
    try:
        _wait_until_it_answers(process, port)
        yield Web(port=port, key=create_key(hub))
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_until_it_answers(process: "subprocess.Popen[bytes]", port: int) -> None:
    until = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError, HTTPException):
            connection = HTTPConnection(HOST, port, timeout=5)
            connection.request("GET", "/v1/openapi.json")
            if connection.getresponse().status < 500:
                return
        time.sleep(0.1)
    raise RuntimeError("The web process does not answer.")


def check(hub: Hub, accepted: int) -> None:
    """Make sure that every event answered with 202 is in the inbox, once."""
    with hub.database.transaction() as tx:
        row = tx.execute("select count(*) from inbox.change").fetchone()
    stored = row[0] if row else 0
    if stored != accepted:
        raise RuntimeError(f"{accepted} events were accepted, but the inbox holds {stored}.")


def measure(options: Options) -> list[Row]:
    """Measure and return the rows."""
    size = QUICK if options.is_quick else FULL
    with open_server() as server, open_hub(server, match="guarded") as hub, serve(server, hub) as web:
        pgbench = Pgbench(server, scale=1)
        web.run_single(1)
        web.run_bulk(1)
        web.single.clear()
        web.bulk.clear()
        figures = take_turns(
            {
                "insert": lambda: pgbench.run_inserts(size.seconds),
                "single": lambda: web.run_single(size.seconds),
                "bulk": lambda: web.run_bulk(size.seconds),
            },
            repeats=size.repeats,
        )
        check(hub, web.accepted)
        say(f"{web.accepted:,} events accepted, all of them in the inbox")
    limits, limit_name = figures["insert"], "pgbench, one row of 0.9 kB, 8 clients"
    return [
        compare(
            "single event, 64 connections",
            figures["single"],
            unit="events/s",
            limits=limits,
            limit_name=limit_name,
            wanted=Wanted(value_min=2000, ratio_min=0.4),
        ),
        compare("single event, p50", [each.p50 for each in web.single], unit="ms"),
        compare("single event, p99", [each.p99 for each in web.single], unit="ms", wanted=Wanted(value_max=100)),
        compare(
            "bulk, 1,000 lines, 4 connections",
            figures["bulk"],
            unit="events/s",
            limits=limits,
            limit_name=limit_name,
            wanted=Wanted(value_min=20_000),
        ),
        compare("bulk, p99 of a request", [each.p99 for each in web.bulk], unit="ms"),
    ]


if __name__ == "__main__":
    given = read_options(__doc__ or TITLE)
    show(TITLE, measure(given), options=given)
