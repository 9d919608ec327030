"""Reading files of records: lines of JSON to typed columns, a stretch of a file at a time, on several processes."""

import gc
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date, datetime
from functools import lru_cache
from io import BytesIO
from itertools import compress, pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from comity.definitions.types import AttributeSpec, AttributeType, MappingSpec
from comity.identity.types import ABSENT_MARK
from comity.mapping import api as mapping
from comity.mapping.api import CompiledMapping
from comity.mapping.types import ABSENT, MappedBatch

STRETCH_BYTES = 8_000_000
PROCESSES_MAX = 8
PROCESSES_FROM_BYTES = 50_000_000
"""Starting processes takes a second or two, in which one reads about this much."""

GARBAGE_THRESHOLDS = (500_000, 10, 10)
"""Reading makes many objects and no cycles: looking for some takes a tenth of its time."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENT = pl.Datetime("us", "UTC")
Numbers = NDArray[np.int64]

_POLARS_TYPES: Mapping[AttributeType, Any] = {
    AttributeType.DATE: pl.Date,
    AttributeType.INTEGER: pl.Int64,
    AttributeType.MONEY: pl.Int64,
    AttributeType.BOOLEAN: pl.Boolean,
    AttributeType.TIMESTAMP: MOMENT,
    AttributeType.TAGS: pl.List(pl.String),
}
_TYPES_AS_TEXT = frozenset({AttributeType.DATE, AttributeType.INTEGER, AttributeType.MONEY})
"""Types whose text polars writes as Python does."""


class Line(msgspec.Struct, frozen=True):
    """Where a line is."""

    start: int
    end: int


class Odd(msgspec.Struct, frozen=True, kw_only=True):
    """A line that cannot go the quick way; without `external_id` it cannot go any way."""

    line: Line
    external_id: str | None
    code: str
    message: str


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a file, whole lines, and what its records are read with."""

    path: str
    start: int
    end: int
    spec: MappingSpec
    attributes: dict[str, AttributeSpec]


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """What a stretch says: a frame in Arrow's form, and its odd lines."""

    arrow: bytes
    odd: list[Odd]

    def frame(self) -> pl.DataFrame:
        """Return external_id, changed_at, start and end of the line, and for each attribute value and absence."""
        return pl.read_ipc(BytesIO(self.arrow))


def plan_stretches(path: Path, *, spec: MappingSpec, attributes: Mapping[str, AttributeSpec]) -> list[Stretch]:
    """Cut a file into stretches at line ends."""
    size = path.stat().st_size
    bounds = [0]
    with path.open("rb") as file:
        while bounds[-1] < size:
            file.seek(min(size, bounds[-1] + STRETCH_BYTES))
            file.readline()
            bounds.append(file.tell())
    return [
        Stretch(path=str(path), start=start, end=end, spec=spec, attributes=dict(attributes))
        for start, end in pairwise(bounds)
    ]


def read_stretches(stretches: Sequence[Stretch]) -> Iterator[Columns]:
    """Read stretches, in their order; several at a time when there are several."""
    processes = min(len(stretches), os.cpu_count() or 1, PROCESSES_MAX)
    if processes <= 1 or sum(each.end - each.start for each in stretches) < PROCESSES_FROM_BYTES:
        yield from map(read_stretch, stretches)
        return
    # Spawned, since a process with threads and open connections must not be forked.
    with ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=gc.set_threshold, initargs=GARBAGE_THRESHOLDS
    ) as pool:
        yield from pool.map(read_stretch, stretches)


def read_stretch(stretch: Stretch) -> Columns:
    """Read one stretch."""
    starts, payloads = _lines(stretch)
    ends = starts + np.fromiter(map(len, payloads), dtype=np.int64, count=len(payloads))
    compiled = _compile(msgspec.json.encode((stretch.spec, stretch.attributes)))
    mapped = mapping.read_records(compiled, payloads=payloads)
    odd: list[Odd] = []
    names = dict(zip(mapped.positions, (record.external_id for record in mapped.records), strict=True))
    for problem in mapped.problems:
        message = f"{problem.field}: found {problem.found}; expected {problem.expected}. {problem.remedy}"
        name = None if problem.is_fatal else names.pop(problem.position, None)
        if problem.is_fatal or name is not None:
            line = Line(int(starts[problem.position]), int(ends[problem.position]))
            odd.append(Odd(line=line, external_id=name, code=problem.code, message=message))
    positions = np.array(mapped.positions, dtype=np.int64)
    frame = _frame(mapped, starts[positions], ends[positions], attributes=stretch.attributes)
    if len(names) < frame.height:
        frame = frame.filter(pl.Series([position in names for position in mapped.positions], dtype=pl.Boolean))
    return Columns(arrow=_to_arrow(frame), odd=odd)


@lru_cache(maxsize=64)
def _compile(text: bytes) -> CompiledMapping:
    spec, attributes = msgspec.json.decode(text, type=tuple[MappingSpec, dict[str, AttributeSpec]])
    return mapping.compile_mapping(spec, attributes=attributes)


def _lines(stretch: Stretch) -> tuple[Numbers, list[bytes]]:
    """Return the lines that are not blank, and where each starts in the file."""
    with Path(stretch.path).open("rb") as file:
        file.seek(stretch.start)
        found = file.read(stretch.end - stretch.start).split(b"\n")
    lengths = np.fromiter(map(len, found), dtype=np.int64, count=len(found))
    starts = stretch.start + np.cumsum(lengths + 1) - lengths - 1
    is_said = [bool(line) and not line.isspace() for line in found]
    return starts[is_said], list(compress(found, is_said))


def _frame(
    mapped: MappedBatch, starts: Numbers, ends: Numbers, *, attributes: Mapping[str, AttributeSpec]
) -> pl.DataFrame:
    columns: list[pl.Series] = [
        pl.Series("external_id", [record.external_id for record in mapped.records], dtype=pl.String),
        _moments("changed_at", mapped.changed_at),
        pl.Series("start", starts),
        pl.Series("end", ends),
    ]
    for name, values in mapped.columns.items():
        kind = _POLARS_TYPES.get(attributes[name].type, pl.String)
        is_absent = [value is ABSENT for value in values]
        said = [None if value is ABSENT else value for value in values] if any(is_absent) else values
        columns.append(_moments(name, said) if kind == MOMENT else pl.Series(name, said, dtype=kind))
        columns.append(pl.Series(name + ABSENT_MARK, is_absent, dtype=pl.Boolean))
    return pl.DataFrame(columns)


def _moments(name: str, values: Sequence[datetime | None]) -> pl.Series:
    """Make a column of times in UTC; Polars needs eight times as long for the objects themselves."""
    since = [None if value is None else value - EPOCH for value in values]
    numbers = [
        None if each is None else (each.days * 86_400 + each.seconds) * 1_000_000 + each.microseconds for each in since
    ]
    return pl.Series(name, numbers, dtype=pl.Int64).cast(MOMENT)


def _to_arrow(frame: pl.DataFrame) -> bytes:
    target = BytesIO()
    frame.write_ipc(target)
    return target.getvalue()


def to_text(values: pl.Series, kind: AttributeType) -> pl.Series:
    """Return a column as the text that matching compares."""
    if values.dtype == pl.String or kind in _TYPES_AS_TEXT:
        return values.cast(pl.String)
    return pl.Series(values.name, [None if value is None else _text(value) for value in values], dtype=pl.String)


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
