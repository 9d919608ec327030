"""Unify: changes from the inbox to profiles and marks in the outbox, against TPC-B of pgbench on the same server.

The worker's own loop, in batches of 1,000, on a hub of three systems that knows 500,000 records of some 280,000
people and has told every system of them (a base for each record, no marks waiting). 95 of 100 changes are whole
records in which one or two fields differ from before; 5 are records nobody has seen, some of people known. All three
systems are written to, so whoever changed is marked in each. Beside that mix, for a picture of what costs: versions in
which no mapped field changed (most of what polling brings: an owner, a score, a last visit), and versions in which only
an address or a language did.
"""

import gc
import os
import random
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import msgspec

from bench.bulk import write_files
from bench.hub import open_hub
from bench.payloads import payload_of
from bench.people import MAIL_HOSTS, STREAMS, SYSTEMS, Facts, Population, Record
from bench.processor import seconds_of, server_of
from bench.report import Options, Row, Wanted, compare, read_options, say, show, take_turns
from bench.server import Pgbench, open_server
from comity.inbox import api as inbox
from comity.inbox.types import NewChange
from comity.interfaces.worker.flow import Holder, UnifyLoop
from comity.interfaces.worker.loop import AT_ONCE
from comity.outbox import api as outbox
from comity.sync import api as sync
from comity.sync.types import RecordFile
from comity.wiring import Hub

TITLE = "unify"
NEW_SHARE = 0.05
FIELDS = {"address": 30, "phone": 20, "email": 15, "language": 15, "birth_date": 10, "name": 10}
"""What changes in the mix, and how often in a hundred."""
NO_KEYS = {"address": 30, "language": 15}
STATED_AT = datetime(2026, 3, 4, tzinfo=UTC)
ACCEPT_MAX = 1_000
WARM_UP_SECONDS = 5.0
DELIVERED = (
    "delete from outbox.change",
    (
        "insert into outbox.base (record_id, system, fields, written_at, hour_started_at) "
        "select record_id, system, jsonb_build_object('Email', jsonb_build_object('sent', features -> 'email', "
        "'stored', features -> 'email'), 'Phone', jsonb_build_object('sent', features -> 'phone', 'stored', "
        "features -> 'phone'), 'Global_Id__c', jsonb_build_object('sent', profile_id, 'stored', profile_id)), "
        "now(), now() from identity.record"
    ),
)
"""What delivery would leave behind: a base for each record, and no mark."""


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How much is done; `changes` are those of one turn."""

    records: int
    changes: int
    scale: int
    seconds: int
    repeats: int


FULL = Size(records=500_000, changes=50_000, scale=50, seconds=5, repeats=5)
"""Turns of both take about as long: what one leaves behind (pages in memory, a checkpoint) slows the first seconds of
the other."""
QUICK = Size(records=50_000, changes=5_000, scale=10, seconds=3, repeats=2)


class Changes:
    """A source of changes as the systems would send them; what was changed stays changed."""

    def __init__(self, population: Population, *, known: int) -> None:
        """Know the first records of the population."""
        self._population = population
        self._known = known
        self._random = random.Random(20260304)
        self._changed: dict[int, Facts] = {}
        self._count = 0

    def make(self, count: int, *, new_share: float, fields: dict[str, int]) -> list[NewChange]:
        """Return the next changes: a share of records nobody has seen; in the others, one or two fields changed."""
        dice = self._random
        numbers: list[int] = []
        firsts: list[bool] = []
        for _ in range(count):
            is_first = dice.random() < new_share and self._known < len(self._population)
            numbers.append(self._known if is_first else dice.randrange(self._known))
            firsts.append(is_first)
            self._known += is_first
        return [
            self._make_change(record, fields={} if is_first else fields)
            for record, is_first in zip(self._population.records(numbers), firsts, strict=True)
        ]

    def _make_change(self, record: Record, *, fields: dict[str, int]) -> NewChange:
        self._count += 1
        facts = self._changed.setdefault(record.number, record.facts)
        if fields:
            for _ in range(self._random.choice((1, 1, 2))):
                _change_field(facts, self._random, fields)
        record.facts = facts
        stated_at = STATED_AT + timedelta(seconds=self._count)
        return NewChange(
            system=SYSTEMS[record.system],
            stream=STREAMS[record.system],
            external_id=record.external_id,
            version=f"{stated_at.isoformat()}-{self._count}",
            source_at=stated_at,
            payload=payload_of(record, stated_at),
        )


def _change_field(facts: Facts, dice: random.Random, fields: dict[str, int]) -> None:
    number = dice.randrange(1_000_000)
    match dice.choices(list(fields), list(fields.values()))[0]:
        case "address":
            facts.street, facts.postcode = f"Lange Reihe {number % 300 + 1}", f"{number % 90_000 + 10_000}"
        case "phone":
            facts.phone = f"+491525{number:07d}"
        case "email":
            facts.email = f"moved.{number}@{MAIL_HOSTS[number % len(MAIL_HOSTS)]}"
        case "language":
            facts.language = ("de", "en", "fr", "es", "it")[number % 5]
        case "birth_date":
            facts.birth_date = f"{1940 + number % 66}-{number % 12 + 1:02d}-{number % 28 + 1:02d}"
        case _:
            facts.family_name = f"{facts.family_name.title()}-{('Berg', 'Stein', 'Wood', 'Rell')[number % 4]}"


class Worker:
    """The unify loop of a hub, and changes for it."""

    def __init__(self, hub: Hub, changes: Changes) -> None:
        """Take the hub."""
        self._hub = hub
        self._changes = changes
        holder = Holder(holder_id=hub.ids.uuid7(hub.clock.now()), show=lambda: None)
        self._loop = UnifyLoop(hub=hub, holder=holder)
        with hub.database.transaction() as tx:
            self._server = server_of(tx)
        self.spent: Counter[str] = Counter()

    def run(self, count: int, *, new_share: float = NEW_SHARE, fields: dict[str, int] = FIELDS) -> float:
        """Put changes into the inbox, then unify them all; return how many a second."""
        changes = self._changes.make(count, new_share=new_share, fields=fields)
        for start in range(0, count, ACCEPT_MAX):
            with self._hub.database.transaction() as tx:
                inbox.accept_changes(tx, changes=changes[start : start + ACCEPT_MAX], now=self._hub.clock.now())
        began, started = self._spend(), time.perf_counter()
        while self._waiting():
            while self._loop.step() == AT_ONCE:
                pass
        rate = count / (time.perf_counter() - started)
        for who, seconds in self._spend().items():
            self.spent[who] += seconds - began[who]
        return rate

    def _spend(self) -> dict[str, float]:
        """Return the processor time used so far."""
        return {"Python, all lanes": seconds_of(os.getpid()), "PostgreSQL, all sessions": seconds_of(self._server)}

    def warm_up(self, count: int) -> None:
        """Run until the process that maps ahead has begun, and once more."""
        self.run(count)
        time.sleep(WARM_UP_SECONDS)
        self.run(count)

    def _waiting(self) -> int:
        from comity.kernel import readers

        with self._hub.database.transaction() as tx:
            position = readers.peek_position(tx, name=sync.READER)
            return sum(each.waiting_count for each in inbox.count_waiting(tx, position=position))

    def close(self) -> None:
        """End the loop."""
        self._loop.close()


def load(hub: Hub, population: Population, *, count: int) -> None:
    """Bring the hub to the state it is in once everybody was delivered."""
    base = Population(records=count)
    base.people, base.systems = population.people[:count], population.systems[:count]
    paths = write_files(hub.settings.project_dir, base)
    files = [RecordFile(system=SYSTEMS[at], stream=STREAMS[at], path=path) for at, path in enumerate(paths)]
    report = sync.load_records(
        hub.database, files=files, runtime=hub.get_runtime(), ids=hub.ids, now=STATED_AT - timedelta(days=1)
    )
    say(f"{report.record_count:,} records of {report.profile_count:,} people loaded")
    with hub.database.transaction() as tx:
        for text in DELIVERED:
            tx.execute(text)


def measure(options: Options) -> list[Row]:
    """Measure and return the rows."""
    size = QUICK if options.is_quick else FULL
    population = Population(records=size.records + size.changes * (size.repeats + 1))
    with open_server() as server, open_hub(server, match="guarded") as hub:
        load(hub, population, count=size.records)
        server.vacuum()
        pgbench = Pgbench(server, scale=size.scale)
        worker = Worker(hub, Changes(population, known=size.records))
        worker.warm_up(size.changes // 4)
        worker.spent.clear()
        gc.freeze()  # What the benchmark itself keeps in mind is no burden of the product's.
        figures = take_turns(
            {
                "TPC-B": lambda: pgbench.run_tpcb(size.seconds),
                "unify": lambda: worker.run(size.changes),
            },
            repeats=size.repeats,
        )
        spent = dict(worker.spent)
        figures |= take_turns(
            {
                "limit": lambda: pgbench.run_tpcb(size.seconds),
                "unmapped": lambda: worker.run(size.changes, new_share=0, fields={}),
                "no keys": lambda: worker.run(size.changes, new_share=0, fields=NO_KEYS),
            },
            repeats=max(2, size.repeats // 2),
        )
        worker.close()
        taking = _take(hub, size)
    rows = [
        compare(
            "changes, inbox to outbox, batches of 1,000",
            figures["unify"],
            unit="changes/s",
            limits=figures["TPC-B"],
            limit_name="pgbench TPC-B, 8 clients",
            wanted=Wanted(ratio_min=2.0),
        )
    ]
    per_change = {
        f"processor time: {who}": seconds / (size.changes * size.repeats) * 1e6 for who, seconds in spent.items()
    }
    rows += [
        compare(name, figures[kind], unit="changes/s", limits=figures["limit"], limit_name="pgbench TPC-B, 8 clients")
        for kind, name in (("unmapped", "versions without a mapped change"), ("no keys", "address or language alone"))
    ]
    per_change["besides, for each system: its deliveries take it into their marks"] = taking
    rows += [Row(name=f"  {stage}", value=value, unit="us/change") for stage, value in per_change.items()]
    return rows


def _take(hub: Hub, size: Size) -> float:
    """Make sure that nothing was parked, and let a system take what was noted; returns microseconds a change."""
    with hub.database.transaction() as tx:
        counted = tx.execute(
            "select (select count(*) from inbox.parked), (select count(distinct record_id) from outbox.change)"
        ).fetchone()
    parked, noted = counted or (0, 0)
    if parked or not noted:
        raise RuntimeError(f"{parked} of {size.changes} changes were parked; {noted} records were noted.")
    started = time.perf_counter()
    is_behind = True
    while is_behind:
        with hub.database.transaction() as tx:
            is_behind = outbox.take_changes(tx, system=SYSTEMS[0], now=hub.clock.now())
    seconds = time.perf_counter() - started
    with hub.database.transaction() as tx:
        counted = tx.execute(
            "select (select count(record_id) from outbox.change), (select count(*) from outbox.stale)"
        ).fetchone()
    changes, marks = counted or (0, 0)
    say(f"no change parked, {marks:,} marks out of {changes:,} changes; turns of {size.changes:,} changes")
    return seconds / changes * 1e6


if __name__ == "__main__":
    given = read_options(__doc__ or TITLE)
    show(TITLE, measure(given), options=given)
