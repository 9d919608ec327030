"""Lists of byte strings as parameters, written in one go: value by value costs several times as much."""

import struct
from collections.abc import Sequence
from itertools import chain

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.types import TypeInfo

_BYTEA: TypeInfo = psycopg.postgres.types["bytea"]
_HEAD = struct.Struct("!iiIii")
_LENGTH = struct.Struct("!i")


class ByteStrings:
    """A parameter `%(name)b::bytea[]`."""

    def __init__(self, values: Sequence[bytes]) -> None:
        """Take the values; none of them is null."""
        self.values = values


class _ByteStringsDumper(Dumper):
    """Writes the binary form of an array: dimensions, nulls, type, length and lower bound; then each value."""

    format = Format.BINARY
    oid = _BYTEA.array_oid

    def dump(self, obj: ByteStrings) -> Buffer:
        values = obj.values
        if not values:
            return _HEAD.pack(0, 0, _BYTEA.oid, 0, 0)[:12]
        lengths = map(_LENGTH.pack, map(len, values))
        head = _HEAD.pack(1, 0, _BYTEA.oid, len(values), 1)
        return b"".join([head, *chain.from_iterable(zip(lengths, values, strict=True))])


psycopg.adapters.register_dumper(ByteStrings, _ByteStringsDumper)
