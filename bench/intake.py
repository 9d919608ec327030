"""Intake: events over HTTP into the inbox, against pgbench inserting one row of the same size on the same server.

The real web process on a fresh embedded database. A single event: key checked, stream checked, deduplicated,
committed before the answer 202; 64 connections. Bulk: requests of 1,000 lines of NDJSON, 4 connections.
"""

import msgspec

from bench.hub import open_hub
from bench.load import Outcome
from bench.processor import seconds_of, server_of
from bench.report import Options, Row, Wanted, compare, read_options, say, show, take_turns
from bench.server import Pgbench, open_server
from bench.web import Web, serve
from comity.wiring import Hub

TITLE = "intake"
LINES = 1_000


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How much is done."""

    seconds: int
    repeats: int


FULL = Size(seconds=6, repeats=5)
QUICK = Size(seconds=2, repeats=2)


class Events:
    """Events sent to the web process, and what came back."""

    def __init__(self, web: Web, *, server_process_id: int) -> None:
        """Take where to send them, and the process of the database server."""
        self._web = web
        self._processes = {"web process": web.process_id, "PostgreSQL": server_process_id}
        self.costs: dict[str, list[float]] = {}
        self.accepted = 0
        self.single: list[Outcome] = []
        self.bulk: list[Outcome] = []

    def run_single(self, seconds: float) -> float:
        """Return single events a second at 64 connections."""
        before = {name: seconds_of(process) for name, process in self._processes.items()}
        outcome = self._web.run(seconds=seconds, connections=64)
        used = {name: seconds_of(process) - before[name] for name, process in self._processes.items()}
        for name, spent in {**used, "load generator": outcome.processor_seconds}.items():
            self.costs.setdefault(name, []).append(spent / outcome.accepted * 1_000_000)
        return self._note(self.single, outcome)

    def run_bulk(self, seconds: float) -> float:
        """Return events a second in bulk requests at 4 connections."""
        return self._note(self.bulk, self._web.run(seconds=seconds, connections=4, lines=LINES))

    def _note(self, outcomes: list[Outcome], outcome: Outcome) -> float:
        outcomes.append(outcome)
        self.accepted += outcome.accepted
        return outcome.accepted / outcome.seconds


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
        with hub.database.transaction() as tx:
            events = Events(web, server_process_id=server_of(tx))
        events.run_single(1)
        events.run_bulk(1)
        events.costs.clear()
        events.single.clear()
        events.bulk.clear()
        figures = take_turns(
            {
                "insert": lambda: pgbench.run_inserts(size.seconds),
                "single": lambda: events.run_single(size.seconds),
                "bulk": lambda: events.run_bulk(size.seconds),
            },
            repeats=size.repeats,
        )
        check(hub, events.accepted)
        say(f"{events.accepted:,} events accepted, all of them in the inbox")
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
        compare("single event, p50", [each.p50 for each in events.single], unit="ms"),
        compare("single event, p99", [each.p99 for each in events.single], unit="ms", wanted=Wanted(value_max=100)),
        *[compare(f"single event, processor: {name}", spent, unit="us") for name, spent in events.costs.items()],
        compare(
            "bulk, 1,000 lines, 4 connections",
            figures["bulk"],
            unit="events/s",
            limits=limits,
            limit_name=limit_name,
            wanted=Wanted(value_min=20_000),
        ),
        compare("bulk, p99 of a request", [each.p99 for each in events.bulk], unit="ms"),
    ]


if __name__ == "__main__":
    given = read_options(__doc__ or TITLE)
    show(TITLE, measure(given), options=given)
