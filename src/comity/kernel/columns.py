"""Columns of a frame to rows of PostgreSQL's binary COPY, without an object for a row or a cell.

A row of the format is the number of its fields, then each field's length and bytes. Fields of one length are written at
once: where they begin in the output is a column of numbers too.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from psycopg import sql

from comity.kernel.database import Tx

CHUNK_ROWS = 25_000
AHEAD_CHUNKS = 4
SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
FIXED = {
    "bool": np.dtype("u1"),
    "int2": np.dtype(">i2"),
    "int4": np.dtype(">i4"),
    "int8": np.dtype(">i8"),
    "date": np.dtype(">i4"),
    "timestamptz": np.dtype(">i8"),
}
"""Types of one width. Dates are days and timestamps microseconds since 2000, where PostgreSQL starts to count."""
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
JSONB_VERSION = "\x01"
"""What a jsonb value starts with on the wire."""
TEXT_OID = 25

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]


def copy_columns(tx: Tx, *, table: str, frame: pl.DataFrame, types: Sequence[str]) -> int:
    """Append a frame to a table by binary COPY and return how many rows it has.

    Its columns are called like the table's; types are PostgreSQL type names, one per column: those of FIXED (numbers,
    days, microseconds), `uuid` and `bytea` (binary), `text` and `json` (text), `jsonb` (text), `text[]` (lists).
    """
    target = sql.SQL("copy {} ({}) from stdin (format binary)").format(
        sql.Identifier(*table.split(".")), sql.SQL(", ").join(map(sql.Identifier, frame.columns))
    )
    with tx.cursor() as cursor, cursor.copy(target) as copy:
        copy.write(SIGNATURE)
        for part in _ahead(lambda chunk: encode(chunk, types), frame.iter_slices(CHUNK_ROWS)):
            copy.write(part)
        copy.write(TRAILER)
    return frame.height


def _ahead(work: Callable[[pl.DataFrame], bytes], chunks: Iterable[pl.DataFrame]) -> Iterator[bytes]:
    """Yield what work makes of each chunk, made while the one before is being used."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        made: deque[Future[bytes]] = deque()
        for chunk in chunks:
            made.append(thread.submit(work, chunk))
            if len(made) > AHEAD_CHUNKS:
                yield made.popleft().result()
        while made:
            yield made.popleft().result()


def wire_time(moment: datetime) -> pl.Expr:
    """Return a moment as the number `timestamptz` has on the wire."""
    return pl.lit((moment - EPOCH) // timedelta(microseconds=1), dtype=pl.Int64)


def encode(frame: pl.DataFrame, types: Sequence[str]) -> bytes:
    """Write the rows of a frame as binary COPY has them."""
    fields = [
        _FixedField(column, FIXED[kind]) if kind in FIXED else _BytesField(column, kind)
        for column, kind in zip(frame.get_columns(), types, strict=True)
    ]
    ends = np.cumsum(sum((field.sizes for field in fields), np.full(frame.height, 2, dtype=np.int64)))
    output = np.empty(int(ends[-1]) if frame.height else 0, dtype=np.uint8)
    places = np.concatenate(([0], ends[:-1])) if frame.height else ends
    _put(output, places, np.full(frame.height, len(fields), dtype=">i2"))
    places += 2
    for field in fields:
        field.write(output, places)
        places += field.sizes
    return output.tobytes()


class _FixedField:
    """A column of numbers."""

    def __init__(self, column: pl.Series, dtype: np.dtype[Any]) -> None:
        self._present = None if not column.null_count() else column.is_not_null().to_numpy()
        self._values = column.drop_nulls().to_numpy().astype(dtype)
        width = dtype.itemsize
        self.sizes: Numbers | int = 4 + width if self._present is None else 4 + width * self._present.astype(np.int64)

    def write(self, output: Bytes, places: Numbers) -> None:
        """Write the fields of all rows."""
        values = self._values
        fields = np.empty(len(values), dtype=[("length", ">i4"), ("value", values.dtype)])
        fields["length"] = values.dtype.itemsize
        fields["value"] = values
        if self._present is not None:
            _put_nulls(output, places[~self._present])
            places = places[self._present]
        _put(output, places, fields)


class _BytesField:
    """A column of texts or bytes."""

    def __init__(self, column: pl.Series, kind: str) -> None:
        self._present = None if not column.null_count() else column.is_not_null().to_numpy()
        self._data, self._lengths = _joined(column.drop_nulls(), kind)
        self.sizes: Numbers = 4 + self._lengths
        if self._present is not None:
            self.sizes = np.full(len(column), 4, dtype=np.int64)
            self.sizes[self._present] += self._lengths

    def write(self, output: Bytes, places: Numbers) -> None:
        """Write the fields of all rows, those of one length together."""
        if self._present is not None:
            _put_nulls(output, places[~self._present])
            places = places[self._present]
        _put(output, places, self._lengths.astype(">i4"))
        starts = np.cumsum(self._lengths) - self._lengths
        order = _order(self._lengths)
        ordered = self._lengths[order]
        bounds = np.flatnonzero(np.diff(ordered, prepend=-1, append=-1))
        for first, last in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            length = int(ordered[first])
            if length:
                rows = order[first:last]
                _put(output, places[rows] + 4, _windows(self._data, np.dtype(f"V{length}"))[starts[rows]])


def _order(lengths: Numbers) -> Numbers:
    """Return what sorts lengths; two bytes are sorted by counting."""
    return np.argsort(lengths.astype(np.uint16) if lengths.max(initial=0) < 1 << 16 else lengths, kind="stable")


def _joined(column: pl.Series, kind: str) -> tuple[Bytes, Numbers]:
    """Return the bytes of all values, one behind the other, and their lengths."""
    if kind == "text[]":
        column = pl.Series([_array(each) for each in column.to_list()], dtype=pl.Binary)
    elif kind == "jsonb":
        column = JSONB_VERSION + column
    data = column.cast(pl.Binary)
    each = data.cast(pl.List(pl.UInt8)).explode(empty_as_null=False)
    return each.to_numpy(), data.bin.size().to_numpy().astype(np.int64)


def _array(values: Sequence[str | None]) -> bytes:
    """Write a list of texts as PostgreSQL sends an array of one dimension."""
    parts = [np.array([1, None in values, TEXT_OID, len(values), 1], dtype=">i4").tobytes()]
    for value in values:
        data = None if value is None else value.encode()
        parts.append((-1 if data is None else len(data)).to_bytes(4, "big", signed=True))
        parts.append(data or b"")
    return b"".join(parts)


def _put_nulls(output: Bytes, places: Numbers) -> None:
    _put(output, places, np.full(len(places), -1, dtype=">i4"))


def _put(output: Bytes, places: Numbers, values: NDArray[Any]) -> None:
    """Write values of one width, each at its place."""
    if len(values):
        _windows(output, values.dtype)[places] = values


def _windows(data: Bytes, dtype: np.dtype[Any]) -> NDArray[Any]:
    """See bytes as values of a type beginning at any byte."""
    return np.ndarray((len(data) - dtype.itemsize + 1,), dtype=dtype, buffer=data, strides=(1,))
