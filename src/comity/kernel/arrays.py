"""Lists of byte strings and UUIDs as parameters, written in one go: value by value costs several times as much."""

import struct
from collections.abc import Sequence
from itertools import chain
from uuid import UUID

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.types import TypeInfo

_BYTEA: TypeInfo = psycopg.postgres.types["bytea"]
_UUID: TypeInfo = psycopg.postgres.types["uuid"]
_HEAD = struct.Struct("!iiIii")
_LENGTH = struct.Struct("!i")


class ByteStrings:
    """A parameter `%(name)b::bytea[]`."""

    def __init__(self, values: Sequence[bytes]) -> None:
        """Take the values; none of them is null."""
        self.values = values


class Uuids:
    """A parameter `%(name)b::uuid[]`."""

    def __init__(self, values: Sequence[UUID]) -> None:
        """Take the values; none of them is null."""
        self.values = values


class _ByteStringsDumper(Dumper):
    format = Format.BINARY
    oid = _BYTEA.array_oid

    def dump(self, obj: ByteStrings) -> Buffer:
        return _array(obj.values, _BYTEA.oid)


class _UuidsDumper(Dumper):
    format = Format.BINARY
    oid = _UUID.array_oid

    def dump(self, obj: Uuids) -> Buffer:
        return _array([each.bytes for each in obj.values], _UUID.oid)


def _array(values: Sequence[bytes], oid: int) -> bytes:
    """Write the binary form of an array: dimensions, nulls, type, length and lower bound; then each value."""
    if not values:
        return _HEAD.pack(0, 0, oid, 0, 0)[:12]
    lengths = map(_LENGTH.pack, map(len, values))
    return b"".join([_HEAD.pack(1, 0, oid, len(values), 1), *chain.from_iterable(zip(lengths, values, strict=True))])


psycopg.adapters.register_dumper(ByteStrings, _ByteStringsDumper)
psycopg.adapters.register_dumper(Uuids, _UuidsDumper)
