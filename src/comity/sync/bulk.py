"""Files of records to profiles: a first load at once, later ones through the inbox.

A hub that knows no record yet takes all files in one transaction: read on all processors, matched in columns, stored
by COPY. What cannot go that way (a value that cannot be read, a record that is in the files twice) is put into the
inbox in the same transaction, and unify deals with it as with any change. A hub that knows records already takes
whole files through the inbox.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import polars as pl

from comity.activity import api as activity
from comity.activity.types import LinkedRecord
from comity.connect.versions import version_of
from comity.definitions.types import AttributeSpec
from comity.identity import api as identity
from comity.identity.types import ABSENT_MARK, BulkLoad
from comity.inbox import api as inbox
from comity.inbox.types import NewChange
from comity.kernel.database import Database, Tx
from comity.kernel.ids import Ids
from comity.outbox import api as outbox
from comity.outbox.types import Lane
from comity.profile import api as profile
from comity.sync import store
from comity.sync.bulk_reading import Columns, Odd, Stretch, plan_stretches, read_stretches, to_text
from comity.sync.runtime import Runtime
from comity.sync.types import FileUnreadable, LoadReport, RecordFile, RejectedLine, RunBooks, StreamUnmapped

REJECTED_SHOWN_MAX = 100
INBOX_BATCH = 1_000
ATTACH_BATCH = 20_000
KEYS = ("system", "stream", "external_id")

Progress = Callable[[str, int], None]
"""Called as stages begin, with the number of records in hand."""


class Population:
    """What the files say: one frame of records that can be taken in at once, and the lines that cannot."""

    def __init__(self, files: Sequence[RecordFile]) -> None:
        """Start with nothing read."""
        self.files = files
        self.frames: list[pl.DataFrame] = []
        self.odd: list[tuple[int, Odd]] = []

    def add(self, number: int, columns: Columns) -> None:
        """Take in a stretch of a file."""
        file = self.files[number]
        frame = columns.frame().with_columns(
            pl.lit(file.system).alias("system"),
            pl.lit(file.stream).alias("stream"),
            pl.lit(number, dtype=pl.UInt16).alias("file"),
        )
        self.frames.append(frame)
        self.odd.extend((number, odd) for odd in columns.odd)

    def records(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the records, and those that came again: of several lines of one record the first comes first."""
        frame = pl.concat(self.frames, how="diagonal") if self.frames else pl.DataFrame()
        masks = [name for name in frame.columns if name.endswith(ABSENT_MARK)]
        # A stream whose mapping does not read an attribute says nothing of it.
        frame = frame.with_columns(pl.col(name).fill_null(value=True) for name in masks)
        is_first = frame.select(pl.struct(KEYS).is_first_distinct()).to_series()
        repeated = frame.filter(~is_first) if not is_first.all() else frame.clear()
        frame = frame.filter(is_first) if repeated.height else frame
        return frame.drop(name for name in masks if not frame[name].any()), repeated


def load_records(
    database: Database,
    *,
    files: Sequence[RecordFile],
    runtime: Runtime,
    ids: Ids,
    now: datetime,
    progress: Progress | None = None,
) -> LoadReport:
    """Take files of records in. All or nothing on a hub without records; batch by batch, repeatable, on any other.

    Rejected lines are no JSON objects, or have no record id. Raises StreamUnmapped, FileUnreadable.
    """
    tell = progress or _say_nothing
    stretches = _plan(files, runtime)
    with database.transaction() as tx:
        is_first = not identity.has_records(tx)
    if not is_first or not all(runtime.streams[file.system, file.stream].is_person for file in files):
        return _load_through_inbox(database, files, stretches, now=now, tell=tell)
    tell("read", 0)
    population = Population(files)
    for (number, _), columns in zip(stretches, read_stretches([each for _, each in stretches]), strict=True):
        population.add(number, columns)
    frame, repeated = population.records()
    population.frames.clear()
    with database.transaction() as tx:
        loaded = _store(tx, frame, runtime=runtime, ids=ids, now=now, tell=tell)
        late = [(number, odd.line.start, odd.line.end, odd.external_id) for number, odd in population.odd]
        late += repeated.select("file", "start", "end", "external_id").rows() if repeated.height else []
        inbox_count = sum(
            len(inbox.accept_changes(tx, changes=changes, now=now)) for changes in _changes(files, sorted(late))
        )
        books = RunBooks(read_count=frame.height, applied_count=frame.height)
        store.note_run(tx, kind="load", system=None, books=books, now=now)
    tell("done", frame.height)
    return _report(
        files, population.odd, record_count=frame.height, profile_count=loaded.profiles_count, inbox_count=inbox_count
    )


def _say_nothing(_stage: str, _count: int) -> None:
    """Nobody listens."""


def _plan(files: Sequence[RecordFile], runtime: Runtime) -> list[tuple[int, Stretch]]:
    """Cut files into stretches; each comes with the number of its file."""
    stretches: list[tuple[int, Stretch]] = []
    attributes: Mapping[str, AttributeSpec] = runtime.definitions.attributes
    for number, file in enumerate(files):
        stream = runtime.streams.get((file.system, file.stream))
        if stream is None:
            known = sorted(f"{system}/{name}" for system, name in runtime.streams)
            raise StreamUnmapped(
                f"No mapping takes records of stream {file.stream} of system {file.system}.",
                details={"known": known, "remedy": "Correct the names, or apply a mapping for this stream."},
            )
        try:
            planned = plan_stretches(file.path, spec=stream.spec, attributes=attributes)
        except OSError as error:
            raise FileUnreadable(f"{file.path} cannot be read: {error.strerror}.") from error
        stretches += [(number, each) for each in planned]
    return stretches


def _store(tx: Tx, frame: pl.DataFrame, *, runtime: Runtime, ids: Ids, now: datetime, tell: Progress) -> BulkLoad:
    tell("identity", frame.height)
    types = {name: each.type for name, each in runtime.definitions.attributes.items()}
    features = [name for name in runtime.match.attributes if name in frame.columns]
    facts = frame.select(
        *KEYS,
        *(to_text(frame[name], types[name]) for name in features),
        *(name + ABSENT_MARK for name in features if name + ABSENT_MARK in frame.columns),
    )
    with identity.load_bulk(tx, frame=facts, match=runtime.match, now=now, ids=ids) as loaded:
        tell("profile", frame.height)
        profile.load_bulk(
            tx,
            frame=_observations(frame, loaded, runtime, now),
            model=runtime.model,
            now=now,
            meanwhile=loaded.make_ready,
        )
    _attach_purchases(tx, frame, loaded, now)
    tell("outbox", frame.height)
    outbox.mark_everybody(tx, systems=runtime.written_systems, lane=Lane.BACKFILL)
    return loaded


def _observations(frame: pl.DataFrame, loaded: BulkLoad, runtime: Runtime, now: datetime) -> pl.DataFrame:
    known = [each.name for each in runtime.model.attributes if each.name in frame.columns]
    return frame.select(
        *KEYS,
        pl.col("changed_at").fill_null(now),
        pl.Series("record_id", loaded.record_ids),
        pl.Series("profile_id", loaded.profile_ids),
        *known,
        *(name + ABSENT_MARK for name in known if name + ABSENT_MARK in frame.columns),
    )


def _attach_purchases(tx: Tx, frame: pl.DataFrame, loaded: BulkLoad, now: datetime) -> None:
    """Give purchases that came before their people to them."""
    if not activity.list_waiting(tx, limit_max=1):
        return
    people = frame.select(KEYS).with_columns(pl.Series("profile_id", loaded.profile_ids))
    for part in people.iter_slices(ATTACH_BATCH):
        records = [
            LinkedRecord(system=system, stream=stream, external_id=external_id, profile_id=UUID(bytes=profile_id))
            for system, stream, external_id, profile_id in part.iter_rows()
        ]
        activity.attach_waiting(tx, records=records, now=now)


def _load_through_inbox(
    database: Database,
    files: Sequence[RecordFile],
    stretches: Sequence[tuple[int, Stretch]],
    *,
    now: datetime,
    tell: Progress,
) -> LoadReport:
    """Put every line into the inbox; a line that is there already changes nothing."""
    tell("inbox", 0)
    inbox_count = 0
    odd: list[tuple[int, Odd]] = []
    for (number, _), columns in zip(stretches, read_stretches([each for _, each in stretches]), strict=True):
        odd.extend((number, each) for each in columns.odd)
        lines = [(number, *row) for row in columns.frame().select("start", "end", "external_id").rows()]
        lines += [(number, each.line.start, each.line.end, each.external_id) for each in columns.odd]
        for changes in _changes(files, sorted(lines)):
            with database.transaction() as tx:
                inbox_count += len(inbox.accept_changes(tx, changes=changes, now=now))
        tell("inbox", inbox_count)
    return _report(files, odd, record_count=0, profile_count=0, inbox_count=inbox_count)


def _changes(
    files: Sequence[RecordFile], lines: Sequence[tuple[int, int, int, str | None]]
) -> Iterator[list[NewChange]]:
    """Read lines, given by file, start, end and record id, as changes; those without id are left out."""
    for first in range(0, len(lines), INBOX_BATCH):
        batch: list[NewChange] = []
        for number, start, end, external_id in lines[first : first + INBOX_BATCH]:
            if external_id is None:
                continue
            file = files[number]
            with file.path.open("rb") as source:
                source.seek(start)
                payload = source.read(end - start).strip()
            batch.append(
                NewChange(
                    system=file.system,
                    stream=file.stream,
                    external_id=external_id,
                    version=version_of(payload),
                    payload=payload,
                )
            )
        if batch:
            yield batch


def _report(
    files: Sequence[RecordFile],
    odd: Sequence[tuple[int, Odd]],
    *,
    record_count: int,
    profile_count: int,
    inbox_count: int,
) -> LoadReport:
    rejected = [(number, each) for number, each in odd if each.external_id is None]
    shown = [
        RejectedLine(
            path=str(files[number].path),
            line=_line_number(files[number], each.line.start),
            code=each.code,
            message=each.message,
        )
        for number, each in rejected[:REJECTED_SHOWN_MAX]
    ]
    return LoadReport(
        record_count=record_count,
        profile_count=profile_count,
        inbox_count=inbox_count,
        rejected_count=len(rejected),
        rejected=shown,
    )


def _line_number(file: RecordFile, start: int) -> int:
    count = 1
    with file.path.open("rb") as source:
        while start > 0:
            part = source.read(min(start, 1_000_000))
            count += part.count(b"\n")
            start -= len(part)
    return count
