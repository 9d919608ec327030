"""Simulate: a proposed version of a programme beside the running one, over all stored purchases, on all processors.

The limit is reading the same rows in the same order out of the database and nothing else, by COPY, in the same turn.
Generating the purchases is not measured. Afterwards a sample of the members is replayed one by one through the doors,
by both versions, on the same database (and rolled back): every member must come to the same points and tier.
"""

import os
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import msgspec

from bench.replaying import Happening, Outcome, replay
from bench.report import Options, Row, Wanted, compare, read_options, say, show, take_turns
from bench.server import open_server
from comity import wiring
from comity.activity import api as activity
from comity.activity.types import PurchaseFact, PurchaseRecorded
from comity.definitions.types import ProgrammeSpec
from comity.kernel.database import Database
from comity.programme import api as programme
from comity.programme.api import History, Simulation, Trial
from comity.programme.store_history import copy_history
from comity.programme.types import Programme

TITLE = "simulate"
SECONDS_MAX = 60.0
BATCH = 10_000
FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 790
ON = date(2026, 3, 3)
UNTIL = datetime(2026, 3, 4, tzinfo=UTC)

RUNNING: dict[str, Any] = {
    "title": "Club",
    "currency": "EUR",
    "timezone": "Europe/Berlin",
    "enrol": {"automatic": True},
    "earning": {"points_per_unit": 1, "unit_minor": 100},
    "points": [{"name": "points", "expiry": {"kind": "rolling", "after": {"months": 12}, "end_of": "month"}}],
    "tiers": {"levels": [{"name": "Blue", "from": 0}, {"name": "Silver", "from": 500}, {"name": "Gold", "from": 900}]},
}
PROPOSED: dict[str, Any] = RUNNING | {
    "points": [{"name": "points", "expiry": {"kind": "rolling", "after": {"months": 18}, "end_of": "month"}}],
    "tiers": {"levels": [{"name": "Blue", "from": 0}, {"name": "Silver", "from": 600}, {"name": "Gold", "from": 1200}]},
    "earning_rules": [
        {"name": "gold", "multiplier_percent": 150, "tiers": ["Gold"]},
        {"name": "weekend", "multiplier_percent": 200, "when": "purchase.weekday >= 6"},
        {"name": "welcome", "fixed": 100, "first_purchase": True},
        {"name": "large", "fixed": 25, "amount_min_minor": 15000, "caps": [{"times": 2, "per": "month"}]},
    ],
}


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How much is done."""

    purchases: int
    members: int
    repeats: int
    sample_of: int


FULL = Size(purchases=1_000_000, members=100_000, repeats=3, sample_of=500)
QUICK = Size(purchases=60_000, members=6_000, repeats=1, sample_of=100)


def make_purchases(size: Size) -> Iterator[tuple[UUID, PurchaseFact]]:
    """Yield purchases of the members; half of them are made by a fifth of the members."""
    chance = Random(20260303)
    for number in range(size.purchases):
        reach = size.members if chance.random() < 0.5 else size.members // 5
        member = chance.randrange(reach) if number >= size.members else number
        amount = int(chance.lognormvariate(8.7, 0.8))
        occurred_at = FIRST_DAY + timedelta(seconds=chance.randrange(DAYS * 86_400))
        yield (
            UUID(int=(member * 0x9E3779B97F4A7C15F39CC0605CEDC835) % (1 << 128)),
            PurchaseFact(
                system="shop", stream="Order", external_id=f"o{number}", occurred_at=occurred_at, amount_minor=amount,
                currency="EUR",
            ),
        )  # fmt: skip


def load(database: Database, size: Size) -> None:
    """Put the purchases in."""
    now = UNTIL
    batch: list[tuple[UUID, PurchaseFact]] = []

    def flush() -> None:
        with database.transaction() as tx:
            activity.accept_purchases(
                tx, purchases=[fact for _, fact in batch], profile_ids=[profile for profile, _ in batch], now=now
            )
        batch.clear()

    for each in make_purchases(size):
        batch.append(each)
        if len(batch) == BATCH:
            flush()
    if batch:
        flush()


def make_trial(*, top_count: int = 10) -> Trial:
    """Return what is tried."""
    running, proposed = (msgspec.convert(each, ProgrammeSpec) for each in (RUNNING, PROPOSED))
    return Trial(programme="club", running=running, proposed=proposed, on=ON, top_count=top_count)


def read_only(database: Database) -> float:
    """Return how many seconds it takes to have the rows come out of the database, on as many connections."""
    started = time.perf_counter()
    with database.transaction() as tx:
        for _ in copy_history(tx, history=HISTORY, asks_members=False, asks_visits=False):
            pass
    return time.perf_counter() - started


HISTORY = History(programme="club", until=UNTIL)


def run(database: Database, processes: int) -> tuple[float, Simulation]:
    """Simulate everything and return how many seconds it took."""
    started = time.perf_counter()
    found = programme.simulate_on_processes(database, trial=make_trial(), history=HISTORY, processes=processes)
    return time.perf_counter() - started, found


def check_sample(database: Database, size: Size) -> int:
    """Replay a sample through the doors by both versions; raise when a member comes to anything else."""
    history = msgspec.structs.replace(HISTORY, sample_of=size.sample_of)
    trial = make_trial(top_count=size.members)
    with database.transaction() as tx:
        told = programme.simulate(tx, trial=trial, history=history)
        happenings = [
            Happening(happened_at=each.occurred_at, purchase=each)
            for each in _list_purchases(copy_history(tx, history=history, asks_members=False, asks_visits=False))
        ]
    gains = {each.profile_id: each for side in (told.winners, told.losers) for each in side.largest}
    for name, spec in (("running", trial.running), ("proposed", trial.proposed)):
        figures = getattr(told, name)
        outcome = _replay(database, spec, happenings)
        issued: dict[UUID, int] = {}
        for each in outcome.earned.values():
            issued[each.profile_id] = issued.get(each.profile_id, 0) + each.points
        same = [
            sum(issued.values()) == figures.points_issued,
            sum(each.points + each.pending for each in outcome.members.values()) == figures.points_open,
            all(getattr(gain, name) == issued[profile_id] for profile_id, gain in gains.items()),
            all(
                getattr(count, name) == sum(each.tier == count.tier for each in outcome.members.values())
                for count in told.tiers
            ),
        ]
        if not all(same):
            raise RuntimeError(f"The simulation says something else than the replay by the {name} version: {same}.")
    return len(happenings)


def _replay(database: Database, spec: ProgrammeSpec | None, happenings: Sequence[Happening]) -> Outcome:
    """Replay by one version, and let nothing of it stay."""
    version = Programme(name="club", spec=msgspec.convert(RUNNING, ProgrammeSpec) if spec is None else spec, version=1)
    with database.connect() as tx, tx.transaction(force_rollback=True):
        programme.open_programme(tx, programme=version, now=FIRST_DAY)
        return replay(tx, version=version, happenings=happenings, on=ON)


def _list_purchases(rows: Iterator[tuple[Any, ...]]) -> list[PurchaseRecorded]:
    return [
        PurchaseRecorded(
            purchase_id=int(purchase_id), business_key=f"shop:{purchase_id}", profile_id=UUID(profile_id),
            occurred_at=datetime.fromisoformat(occurred_at), amount_minor=int(amount), currency=currency, system="shop",
            stream="Order", external_id=purchase_id,
        )
        for profile_id, purchase_id, occurred_at, amount, currency, *_ in rows
    ]  # fmt: skip


def measure(options: Options) -> tuple[list[Row], list[str]]:
    """Measure and return the rows."""
    size = QUICK if options.is_quick else FULL
    processes = min(2, os.cpu_count() or 1)
    with open_server() as server:
        database = Database(dsn=server.create("simulate"))
        wiring.migrate(database, owner_dsn=server.embedded.owner_dsn_for("simulate"))
        say(f"{size.purchases:,} purchases of {size.members:,} members are put in")
        load(database, size)
        server.vacuum("simulate")
        results: list[Simulation] = []

        def simulated() -> float:
            seconds, found = run(database, processes)
            results.append(found)
            return seconds

        figures = take_turns({"COPY": lambda: read_only(database), "simulate": simulated}, repeats=size.repeats)
        sample = check_sample(database, size)
        database.close()
    if any(each != results[0] for each in results):
        raise RuntimeError("The same simulation came to different results.")
    row = compare(
        f"two versions over {size.purchases:,} purchases of {size.members:,} members, {processes} processes",
        figures["simulate"],
        unit="s",
        limits=figures["COPY"],
        limit_name="the same rows by COPY, one connection",
        wanted=Wanted(value_max=SECONDS_MAX),
    )
    return [row], [f"Of a sample, {sample:,} purchases were replayed one by one through the doors: the same results."]


if __name__ == "__main__":
    given = read_options(__doc__ or TITLE)
    found_rows, found_notes = measure(given)
    show(TITLE, found_rows, options=given, notes=found_notes)
