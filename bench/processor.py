"""Processor time of processes: unlike a rate, hardly moved by whatever else the machine does."""

import os
from pathlib import Path

from comity.kernel.database import Tx

TICKS = os.sysconf("SC_CLK_TCK")
_PARENT, _TIMES = 1, slice(11, 15)


def seconds_of(process_id: int) -> float:
    """Return what a process and all those below it have used so far, with those that have ended."""
    processes = _read_processes()
    below = {process_id}
    while more := {each for each, facts in processes.items() if int(facts[_PARENT]) in below} - below:
        below |= more
    return sum(int(ticks) for each in below for ticks in processes.get(each, ())[_TIMES]) / TICKS


def server_of(tx: Tx) -> int:
    """Return the process id of the database server of a connection."""
    row = tx.execute("select pg_backend_pid()").fetchone()
    return int(_read_processes()[row[0] if row else 0][_PARENT])


def _read_processes() -> dict[int, list[str]]:
    """Return what the system says of each process after its name: state, parent, ..., times."""
    found: dict[int, list[str]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found[int(folder.name)] = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # It has ended meanwhile.
            continue
    return found
