"""YAML text to plain values that remember where they stand; everything odd becomes a problem, never an exception.

YAML 1.2: `NO` is a country and `012` is twelve. Only maps with text keys, lists, texts, numbers, true, false and null
exist; tags, directives, merge keys and aliases that grow without bound do not.
"""

import math
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

TEXT_LENGTH_MAX = 2_000_000
NODES_MAX = 50_000
DEPTH_MAX = 40
INTEGER_DIGITS_MAX = 19

_MARKER = re.compile(r"^(---|\.\.\.)(?=\s|$)")
_TAG = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"^[-+]?(0o[0-7]+|0x[0-9a-fA-F]+|[0-9]+)$")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A value and where it starts; lines and columns count from 1."""

    value: Any
    line: int
    column: int
    fields: "dict[str, Field]" = {}
    items: "list[Place]" = []

    def get(self, name: str) -> Any:
        """Get the value of a field, or None."""
        return self.fields[name].place.value if name in self.fields else None

    def find(self, path: tuple[str | int, ...]) -> "tuple[int, int]":
        """Find line and column of the deepest part of a path that exists."""
        place, line, column = self, self.line, self.column
        for step in path:
            if isinstance(step, str) and step in place.fields:
                field = place.fields[step]
                place, line, column = field.place, field.line, field.column
            elif isinstance(step, int) and step < len(place.items):
                place = place.items[step]
                line, column = place.line, place.column
            else:
                break
        return line, column


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A value in a map, and where its key stands."""

    place: Place
    line: int
    column: int


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong with the text itself."""

    line: int
    column: int
    message: str
    remedy: str


class _Stop(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """The text of one document of a file and the line of the file it begins on."""

    text: str
    line: int


def split_documents(text: str) -> Iterator[Chunk]:
    """Split a file at its `---` lines; comments before the first one belong to the first document.

    Chunks of nothing but comments and white space are left out.
    """
    held: list[str] = []
    start = 1
    for number, line in enumerate(_lines(text.removeprefix("\ufeff")), start=1):
        found = _MARKER.match(line)
        if found and _has_content(held):
            yield Chunk(text="".join(held), line=start)
            held, start = [], number
        held.append(f"   {line[3:]}" if found else line)
    if _has_content(held):
        yield Chunk(text="".join(held), line=start)


def _lines(text: str) -> list[str]:
    """Split at line feeds only: YAML does not take the other line ends of Unicode for one."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _has_content(lines: list[str]) -> bool:
    return any(line.strip() and not line.lstrip().startswith("#") for line in lines)


def read_document(chunk: Chunk) -> Place | Fault:
    """Read one document. Lines of the result count in the file the chunk came from."""
    offset = chunk.line - 1
    try:
        node = _compose(chunk)
        return _Builder(offset).build(node, depth=0)
    except _Stop as stop:
        return stop.fault
    except RecursionError:
        return Fault(line=chunk.line, column=1, message="The document is nested too deeply.", remedy="Make it flatter.")
    except MarkedYAMLError as error:
        return _explain(error, chunk)
    except YAMLError as error:
        position = int(getattr(error, "position", 0))
        return Fault(
            line=chunk.line + chunk.text.count("\n", 0, position),
            column=position - (chunk.text.rfind("\n", 0, position) + 1) + 1,
            message="There is a character that YAML does not allow.",
            remedy="Remove the control character, and save the file as UTF-8.",
        )


def _compose(chunk: Chunk) -> Node:
    for number, line in enumerate(chunk.text.split("\n"), start=chunk.line):
        if line.startswith("%"):
            raise _Stop(Fault(line=number, column=1, message="YAML directives are not supported.", remedy="Remove it."))
    yaml: Any = YAML(typ="safe", pure=True)
    yaml.max_depth = DEPTH_MAX * 2
    return yaml.compose(chunk.text)


_EXPLANATIONS = (
    ("\\t", "a tab is used for indentation.", "Indent with spaces."),
    (
        "mapping values are not allowed",
        "a colon stands where no field can start.",
        "Check the indentation; put texts that contain ': ' in quotes.",
    ),
    ("cannot start any token", "a text starts with a character that YAML reserves.", "Put the text in quotes."),
    ("unexpected end of stream", "a text in quotes is not closed.", "Close the quote."),
    ("undefined alias", "an alias (*name) has no anchor.", "Define it with &name in this document, or quote the *."),
    ("<block end>", "the indentation does not fit.", "Indent fields of one level alike; a list item starts with '- '."),
    ("could not find expected ':'", "a field has no colon.", "Write `name: value`."),
    (
        "expected the node content, but found",
        "a bracket closes that was not opened, or a value is missing before it.",
        "Remove the bracket, or write the value; put texts that begin with a bracket in quotes.",
    ),
    ("epth", "it is nested too deeply.", "Make it flatter."),
)


_QUOTED_BRACES = "Double braces mean nothing in YAML: put a text that holds {{ in quotes."
_CLOSING = {"[": "]", "{": "}"}


def _explain(error: Any, chunk: Chunk) -> Fault:
    mark = error.problem_mark or error.context_mark
    said = str(error.problem or "")
    offset = chunk.line - 1
    if "expected ',' or" in said and error.context_mark and error.problem_mark:
        return _explain_bracket(error.context_mark, error.problem_mark, said, chunk)
    message, remedy = "this cannot be read.", "Check indentation, quotes and colons here."
    for sign, explanation, advice in _EXPLANATIONS:
        if sign in said or sign in repr(said):
            message, remedy = explanation, advice
            break
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return Fault(line=line + offset, column=column, message=f"Broken YAML: {message}", remedy=remedy)


def _explain_bracket(opened: Any, mark: Any, said: str, chunk: Chunk) -> Fault:
    """Say of brackets whether one is not closed, or what is missing between them."""
    before = chunk.text.split("\n")[int(opened.line)][: int(opened.column) + 1]
    closing = _CLOSING.get(before[-1:], "] or }")
    found = said.rpartition("but got ")[2].strip("'")
    line, place = opened.line + chunk.line, mark
    if "end>" in found:
        message, remedy, place = "the bracket that opens here is not closed.", f"Close it with {closing}.", opened
    elif found in _CLOSING.values():
        message = f"a {found} stands here, but the bracket that opened last, on line {line}, is a {before[-1:]}."
        remedy = f"Close that one first, with {closing}."
    else:
        message = f"a comma is missing before this, or the bracket that opens on line {line} is not closed."
        remedy = f"Separate the parts with commas, or close the bracket with {closing}."
    if before.endswith("{{"):
        remedy = f"{remedy} {_QUOTED_BRACES}"
    return Fault(
        line=place.line + chunk.line, column=place.column + 1, message=f"Broken YAML: {message}", remedy=remedy
    )


def _parts(node: Any) -> list[Any]:
    found: list[Any] = node.value
    return found


def _text(node: Any) -> str:
    return str(node.value)


class _Builder:
    def __init__(self, offset: int) -> None:
        self._offset = offset
        self._count = 0

    def _stop(self, node: Node, message: str, remedy: str) -> _Stop:
        line, column = self._at(node)
        return _Stop(Fault(line=line, column=column, message=message, remedy=remedy))

    def _at(self, node: Any) -> tuple[int, int]:
        return node.start_mark.line + 1 + self._offset, node.start_mark.column + 1

    def build(self, node: Any, *, depth: int) -> Place:
        """Build the value of a node; aliases are followed, and counted as often as they are used."""
        self._count += 1
        if self._count > NODES_MAX:
            raise self._stop(node, f"The document has more than {NODES_MAX} values.", "Split it; use fewer aliases.")
        if depth > DEPTH_MAX:
            raise self._stop(node, "The document is nested too deeply.", "Make it flatter; an alias may hold itself.")
        line, column = self._at(node)
        if isinstance(node, MappingNode):
            fields = self._fields(node, depth)
            value = {name: field.place.value for name, field in fields.items()}
            return Place(value=value, line=line, column=column, fields=fields)
        if isinstance(node, SequenceNode):
            items = [self.build(each, depth=depth + 1) for each in _parts(node)]
            return Place(value=[item.value for item in items], line=line, column=column, items=items)
        return Place(value=self._scalar(node), line=line, column=column)

    def _fields(self, node: Any, depth: int) -> dict[str, Field]:
        fields: dict[str, Field] = {}
        for key, value in _parts(node):
            if not isinstance(key, ScalarNode):
                remedy = _QUOTED_BRACES if isinstance(key, MappingNode) else "Write `name: value`."
                raise self._stop(key, "The name of a field is not a text.", remedy)
            name = _text(key)
            if name in fields:
                raise self._stop(
                    key,
                    f"The field '{name[:60]}' stands twice (first on line {fields[name].line}).",
                    "Remove one of them.",
                )
            line, column = self._at(key)
            place = self.build(value, depth=depth + 1)
            if place.value is None:  # An empty value stands nowhere; its name does.
                place = Place(value=None, line=line, column=column)
            fields[name] = Field(place=place, line=line, column=column)
        return fields

    def _scalar(self, node: Any) -> Any:
        tag, text = str(node.tag), str(node.value)
        if not tag.startswith(_TAG):
            raise self._stop(node, f"The tag {tag[:60]} is not supported.", "Remove it.")
        kind = tag.removeprefix(_TAG)
        if kind in {"str", "timestamp", "value", "merge"}:
            if any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in text):
                raise self._stop(node, "The text holds a character that cannot be stored.", "Remove the escape.")
            return text
        if kind == "null":
            return None
        if kind == "bool" and text.lower() in {"true", "false"}:
            return text.lower() == "true"
        if kind == "int" and _INTEGER.match(text) and len(text) <= INTEGER_DIGITS_MAX:
            digits = text.lstrip("+-")
            number = int(digits, {"0o": 8, "0x": 16}.get(digits[:2], 10))
            return -number if text.startswith("-") else number
        if kind == "float":
            return self._float(node, text)
        if kind in {"int", "bool"}:
            raise self._stop(node, f"'{text[:40]}' is not understood.", "Put it in quotes, or write plain digits.")
        raise self._stop(node, f"The tag !!{kind[:60]} is not supported.", "Remove it.")

    def _float(self, node: Any, text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise self._stop(node, f"'{text[:40]}' is not a number that can be used.", "Write plain digits.")
        return number
