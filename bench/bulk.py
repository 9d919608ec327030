"""Bulk: a million contact records of three systems, from files to profiles, against splink linking the same records.

Ours is the whole of `comity load`: the process starts, reads NDJSON of vendors' payloads, maps, matches, and leaves
records, identifiers, links, profiles, golden values and marks in PostgreSQL, committed. Splink's is linking and
clustering alone, of columns that are folded and lie in DuckDB already. Both by the same keys, so the clusters must be
the same.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from bench.hub import open_hub
from bench.linking import Labels, are_equal, judge, run_splink
from bench.payloads import payload_of
from bench.people import STREAMS, SYSTEMS, Population
from bench.report import Options, Row, Wanted, compare, read_options, say, show
from bench.server import Server, open_server
from comity.identity import api as identity
from comity.identity.bulk import resolve_bulk
from comity.identity.bulk_text import folded_column
from comity.kernel.database import Database
from comity.wiring import Hub

TITLE = "bulk"
STATED_AT = datetime(2026, 3, 3, 12, tzinfo=UTC)
LOAD_SECONDS_MAX = 1_800
POLL_SECONDS = 0.05
GIGABYTE = 1 << 30


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How much is done."""

    records: int
    repeats: int


FULL = Size(records=1_000_000, repeats=3)
QUICK = Size(records=100_000, repeats=1)


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """One run of `comity load`."""

    seconds: float
    memory_bytes: int
    stages: dict[str, float]


def write_files(folder: Path, population: Population) -> list[Path]:
    """Write one file a system."""
    paths = [folder / f"{system}.ndjson" for system in SYSTEMS]
    files = [path.open("wb") for path in paths]
    for record in population.all_records():
        files[record.system].write(payload_of(record, STATED_AT) + b"\n")
    for file in files:
        file.close()
    return paths


def run_load(hub: Hub, dsn: str, paths: Sequence[Path]) -> Load:
    """Run `comity load` as a process of its own and watch its memory."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COMITY_")} | {
        "COMITY_DATABASE_URL": dsn,
        "COMITY_PROJECT_DIR": str(hub.settings.project_dir),
    }
    also = [f"--also={SYSTEMS[at]}/{STREAMS[at]}={paths[at]}" for at in (1, 2)]
    command = [sys.executable, "-c", "from comity.interfaces.cli.main import main; main()"]
    command += ["load", SYSTEMS[0], STREAMS[0], str(paths[0]), *also, "--json"]
    started = time.monotonic()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own module.
        watch = MemoryWatch(process.pid)
        output, _ = process.communicate(timeout=LOAD_SECONDS_MAX)
        seconds = time.monotonic() - started
        watch.stop()
    if process.returncode != 0:
        raise RuntimeError(f"The load failed: {output.decode()}")
    said = msgspec.json.decode(output, type=dict[str, Any])
    return Load(seconds=seconds, memory_bytes=watch.peak_bytes, stages=said["seconds"])


class MemoryWatch:
    """Watches the resident memory of a process and all below it."""

    def __init__(self, pid: int) -> None:
        """Start to watch."""
        self.peak_bytes = 0
        self._pid = pid
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_over.wait(POLL_SECONDS):
            self.peak_bytes = max(self.peak_bytes, sum(_resident_bytes(pid) for pid in _family(self._pid)))


def _family(pid: int) -> list[int]:
    found = [pid]
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += _family(int(child))
    return found


def _resident_bytes(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


class Outcome:
    """What a load left behind, beside the truth."""

    def __init__(self, database: Database, population: Population) -> None:
        """Read the records back."""
        with database.transaction() as tx:
            rows = tx.execute("select external_id, profile_id::text, features from identity.record").fetchall()
        features = {name: [row[2].get(name) for row in rows] for name in FEATURES}
        self.numbers = np.array([_number_of(row[0]) for row in rows])
        self.labels: Labels = pl.Series([row[1] for row in rows]).rank("dense").to_numpy().astype(np.int64)
        self.truth: Labels = population.people[self.numbers]
        keys = {"system": population.systems[self.numbers].astype(str), "stream": ["s"] * len(rows)}
        self.features = pl.DataFrame({**keys, "external_id": [row[0] for row in rows], **features})

    def folded(self) -> pl.DataFrame:
        """Return what splink gets: the same values, folded as our keys are."""
        columns = [folded_column(self.features[name]) for name in FEATURES]
        return pl.DataFrame([pl.Series("unique_id", np.arange(self.features.height)), *columns])


FEATURES = ("given_name", "family_name", "email", "phone", "birth_date", "postcode")


def _number_of(external_id: str) -> int:
    return int(external_id) - 800_000_000 if external_id.isdecimal() else int(external_id[5:15])


def measure(options: Options) -> tuple[list[Row], list[str]]:
    """Measure and return the rows."""
    size = QUICK if options.is_quick else FULL
    population = Population(records=size.records)
    loads: list[Load] = []
    splink: list[float] = []
    with open_server() as server:
        say(f"writing {size.records:,} records of {len(np.unique(population.people)):,} people")
        paths = write_files(server.folder, population)
        for turn in range(size.repeats):
            load, outcome, hub_match = _load_once(server, population, paths, turn)
            loads.append(load)
            linked = [run_splink(outcome.folded()) for _ in range(2)]
            splink.append(sum(each.seconds for each in linked) / 2)
            say(f"  {turn + 1}/{size.repeats}  load {load.seconds:.1f} s, splink {splink[-1]:.2f} s; {load.stages}")
    is_same = are_equal(outcome.labels, linked[0].labels)
    guarded = resolve_bulk(outcome.features, match=hub_match).clusters.to_numpy().astype(np.int64)
    return _rows(size, loads, splink), [
        f"clusters {'equal to' if is_same else 'DIFFERENT FROM'} splink's",
        f"by keys alone: {_said(outcome.labels, outcome.truth)}",
        f"with the guards of the starter project: {_said(guarded, outcome.truth)}",
        f"stages of the last load, seconds: {loads[-1].stages}",
    ]


def _load_once(
    server: Server, population: Population, paths: Sequence[Path], turn: int
) -> tuple[Load, Outcome, identity.CompiledMatch]:
    with open_hub(server, match="guarded", database_url=server.create(f"guarded{turn}")) as hub:
        guarded = hub.get_runtime().match
    dsn = server.create(f"bulk{turn}")
    with open_hub(server, match="keys", database_url=dsn) as hub:
        load = run_load(hub, dsn, paths)
        outcome = Outcome(hub.database, population)
    server.drop(f"bulk{turn}")
    return load, outcome, guarded


def _rows(size: Size, loads: Sequence[Load], splink: Sequence[float]) -> list[Row]:
    seconds = [load.seconds for load in loads]
    return [
        compare(
            f"load of {size.records:,} records, files to profiles",
            seconds,
            unit="s",
            limits=splink,
            limit_name="splink 5, link and cluster",
            wanted=Wanted(ratio_max=20),
        ),
        compare("records a second", [size.records / each for each in seconds], unit="records/s"),
        compare(
            "memory, all our processes",
            [load.memory_bytes / GIGABYTE for load in loads],
            unit="GiB",
            wanted=Wanted(value_max=4),
        ),
    ]


def _said(labels: Labels, truth: Labels) -> str:
    quality = judge(labels, truth)
    return f"{quality.clusters:,} people, precision {quality.precision:.4f}, recall {quality.recall:.4f}"


if __name__ == "__main__":
    given = read_options(__doc__ or TITLE)
    found, notes = measure(given)
    show(TITLE, found, options=given, notes=notes)
