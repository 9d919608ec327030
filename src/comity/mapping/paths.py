r"""Paths of fields: names joined by dots into nested objects; `\.` is a dot inside a name, a number a list position."""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

import msgspec

from comity.mapping.types import ABSENT

Columns = list[list[Any]]
Segments = tuple[str | int, ...]
_DOT = re.compile(r"(?<!\\)\.")

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a payload that is no JSON raises; the last is one nested thousands deep."""


def parse_path(path: str) -> Segments:
    """Take a path apart."""
    names = [name.replace("\\.", ".") for name in _DOT.split(path)]
    return tuple(int(name) if at and name.isdecimal() else name for at, name in enumerate(names))


def is_path(path: str) -> bool:
    """True when no part of the path is empty."""
    return all(segment != "" for segment in parse_path(path))


def look_up(payload: Any, segments: Segments) -> Any:
    """Follow a path; ABSENT where it leaves the payload, None where it passes through an empty value."""
    found = payload
    for segment in segments:
        if found is None:
            return None
        if isinstance(segment, int) and isinstance(found, list):
            items = cast("list[Any]", found)
            found = items[segment] if segment < len(items) else None
        elif isinstance(found, Mapping):
            members = cast("Mapping[str, Any]", found)
            found = members.get(str(segment), ABSENT)
            if found is ABSENT:
                return ABSENT
        else:
            return ABSENT
    return found


class Extractor:
    """Takes the values of a fixed list of paths out of payloads, column by column.

    Payloads are decoded straight into structs that hold these fields alone; what a mapping does not name is skipped by
    the decoder. Numbers with a fraction come as exact decimals.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        """Build the struct types of the paths; list positions and paths inside each other are walked instead."""
        self.paths = tuple(dict.fromkeys(paths))
        self._segments = tuple(parse_path(path) for path in self.paths)
        self._any = msgspec.json.Decoder(float_hook=Decimal)
        self._root = None if _needs_walk(self._segments) else _Node.build(dict(enumerate(self._segments)))
        self._decode: Callable[[bytes], Any] = (
            self._any.decode if self._root is None else msgspec.json.Decoder(self._root.type, float_hook=Decimal).decode
        )

    def extract(self, payloads: Sequence[bytes | Mapping[str, Any]]) -> tuple[Columns, list[int], dict[int, str]]:
        """Give one column a path, the input positions of its rows, and the message of each payload left out."""
        try:
            return self._columns([self._open(payload) for payload in payloads]), list(range(len(payloads))), {}
        except UNREADABLE:
            return self._extract_singly(payloads)

    def _extract_singly(
        self, payloads: Sequence[bytes | Mapping[str, Any]]
    ) -> tuple[Columns, list[int], dict[int, str]]:
        objects: list[Any] = []
        positions: list[int] = []
        faults: dict[int, str] = {}
        for position, payload in enumerate(payloads):
            try:
                objects.append(self._open(payload))
                positions.append(position)
            except UNREADABLE as error:
                faults[position] = str(error)
        return self._columns(objects), positions, faults

    def _open(self, payload: Any) -> Any:
        opened: Any = payload
        if isinstance(payload, bytes):
            opened = self._decode(payload)
        elif self._root is not None:
            return msgspec.convert(payload, self._root.type)
        if self._root is None and not isinstance(opened, Mapping):
            raise msgspec.ValidationError("Expected `object`")
        return cast("Any", opened)

    def _columns(self, objects: list[Any]) -> Columns:
        if not objects:
            return [[] for _ in self.paths]
        if self._root is None:
            return [[look_up(each, segments) for each in objects] for segments in self._segments]
        columns: Columns = [[]] * len(self.paths)
        self._root.fill(objects, columns)
        return columns


def _needs_walk(paths: Sequence[Segments]) -> bool:
    is_inside = any(a != b and b[: len(a)] == a for a in paths for b in paths)
    return is_inside or any(isinstance(segment, int) for segments in paths for segment in segments)


class _Node:
    """An object of the payload: a struct type whose fields are wanted values and objects below."""

    def __init__(self, node_type: type[msgspec.Struct], leaves: list[int | None], below: "dict[int, _Node]") -> None:
        self.type = node_type
        self._leaves = leaves
        self._below = below
        self._empty = node_type(*([None] * len(leaves)))
        self._absent = node_type()

    @staticmethod
    def build(wanted: Mapping[int, Segments]) -> "_Node":
        """Build the struct of the fields wanted below one object; keys are column numbers."""
        names: dict[str, dict[int, Segments]] = {}
        for column, segments in wanted.items():
            names.setdefault(str(segments[0]), {})[column] = segments[1:]
        leaves: list[int | None] = []
        below: dict[int, _Node] = {}
        fields: list[tuple[str, Any, Any]] = []
        for at, inner in enumerate(names.values()):
            leaf = next((column for column, rest in inner.items() if not rest), None)
            leaves.append(leaf)
            if leaf is None:
                below[at] = _Node.build(inner)
                fields.append((f"f{at}", below[at].type | None | msgspec.UnsetType, ABSENT))
            else:
                fields.append((f"f{at}", Any, ABSENT))
        rename = {f"f{at}": name for at, name in enumerate(names)}
        return _Node(msgspec.defstruct("Payload", fields, rename=rename, gc=False), leaves, below)

    def fill(self, objects: list[Any], columns: Columns) -> None:
        """Put the values of the objects into their columns."""
        for at, values in enumerate(zip(*map(msgspec.structs.astuple, objects), strict=True)):
            leaf = self._leaves[at]
            if leaf is not None:
                columns[leaf] = list(values)
            else:
                node = self._below[at]
                node.fill([node.present(value) for value in values], columns)

    def present(self, value: Any) -> Any:
        """Stand in for an object that is empty or not there."""
        return value if value.__class__ is self.type else self._empty if value is None else self._absent
