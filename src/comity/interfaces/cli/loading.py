"""`comity load`: files of records into the hub."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.status import Status

from comity.interfaces.cli.opening import DataDir, Project, open_hub
from comity.interfaces.cli.output import Json, console, print_json, print_table, translates_errors
from comity.kernel.errors import Invalid
from comity.sync import api as sync
from comity.sync.types import LoadReport, RecordFile

STAGES = {
    "read": "Reading the files",
    "identity": "Finding out who is who",
    "profile": "Making profiles",
    "outbox": "Noting what the systems have to be told",
    "inbox": "Putting records into the inbox",
    "done": "Done",
}


class AlsoMalformed(Invalid):
    """Write --also as SYSTEM/STREAM=FILE."""


@translates_errors
def load(
    system: Annotated[str, typer.Argument(help="System the records are of.")],
    stream: Annotated[str, typer.Argument(help="Stream the records are of.")],
    files: Annotated[list[Path], typer.Argument(help="NDJSON: one record a line, as the system's own API gives it.")],
    *,
    also: Annotated[
        list[str] | None, typer.Option(help="SYSTEM/STREAM=FILE: more of the same load; may be repeated.")
    ] = None,
    project: Project = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Load files of records: all at once into a hub without records, through the inbox into any other.

    Give all files of a first load in one command, so that they are matched with each other at once.
    """
    given = [RecordFile(system=system, stream=stream, path=path) for path in files]
    given += [_parse(each) for each in also or ()]
    stages = Stages()
    with open_hub(project=project, data_dir=data_dir) as hub, console.status("Opening") as status:
        stages.status = status
        report = sync.load_records(
            hub.database,
            files=given,
            runtime=hub.get_runtime(),
            ids=hub.ids,
            now=hub.clock.now(),
            progress=stages.begin,
        )
    if json:
        print_json({"report": report, "seconds": stages.seconds})
    else:
        _show(report, stages)
    if report.rejected_count:
        raise typer.Exit(1)


class Stages:
    """Tells which stage a load is in, and keeps the time of each."""

    def __init__(self) -> None:
        """Start the watch."""
        self.seconds: dict[str, float] = {}
        self.status: Status | None = None
        self._name = "open"
        self._began = time.monotonic()

    def begin(self, name: str, count: int) -> None:
        """Note that a stage begins."""
        now = time.monotonic()
        self.seconds[self._name] = round(self.seconds.get(self._name, 0.0) + now - self._began, 3)
        self._name, self._began = name, now
        if self.status is not None:
            self.status.update(f"{STAGES.get(name, name)}{f' ({count:,} records)' if count else ''}")


def _parse(text: str) -> RecordFile:
    place, _, path = text.partition("=")
    system, _, stream = place.partition("/")
    if not (system and stream and path):
        raise AlsoMalformed(details={"found": text})
    return RecordFile(system=system, stream=stream, path=Path(path))


def _show(report: LoadReport, stages: Stages) -> None:
    if report.record_count:
        seconds = sum(stages.seconds.values())
        console.print(
            f"{report.record_count:,} records are {report.profile_count:,} people ({seconds:.1f} s).", highlight=False
        )
    if report.inbox_count:
        console.print(f"{report.inbox_count:,} records wait in the inbox; a running hub unifies them.", highlight=False)
    if report.rejected_count:
        print_table(
            f"{report.rejected_count:,} lines are no records",
            ("file", "line", "code", "what is wrong"),
            [(each.path, each.line, each.code, each.message) for each in report.rejected],
            numbers=(1,),
        )
